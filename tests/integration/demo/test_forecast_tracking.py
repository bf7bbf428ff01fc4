"""The workload in a real database: complete, true to its files, the same at every run, and its actual values arriving later."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dagster_project.demo.forecast_tracking import deliver_actuals, fill
from dagster_project.demo.series import CATALOG, UnknownNameError
from tests.integration.demo.conftest import Filled, query

TABLES = [
    *("experiments", "runs", "models", "model_registry", "datasets", "dataset_features", "metrics", "metric_summaries", "hyperparameters"),
    *("hyperparameter_search_spaces", "artifacts", "predictions", "system_logs", "audit.audit_logs", "users", "user_experiments"),
    *("system_config", "tags"),
]
POINTS = "select distinct on (model_id, unique_id, metadata->>'cutoff', horizon) * from predictions"


def contents(url: str) -> dict[str, list[str]]:
    return {table: sorted(query(url, f"select cast(t as text) as row from {table} as t")["row"]) for table in TABLES}


def test_every_table_has_rows(filled: Filled) -> None:
    assert {table for table in TABLES if not filled.query(f"select count(*) from {table}").iloc[0, 0]} == set()


def test_every_method_completes_in_every_experiment_and_two_runs_end_early(filled: Filled) -> None:
    runs = filled.query(
        "select experiment_name, run_name, r.status from runs as r join experiments using (experiment_id) where parent_run_id is null"
    )
    assert runs.groupby("status").size().to_dict() == {"completed": 15, "failed": 1, "killed": 1}
    assert filled.summary.added == len(runs)
    models = filled.query("select model_type, count(distinct experiment_id) as n from models join runs using (run_id) group by 1")
    assert dict(zip(models["model_type"], models["n"], strict=True)) == {
        "SeasonalNaive": 3,
        "ETS": 3,
        "Theta": 3,
        "ARIMA": 3,
        "AutoReg": 3,
    }


def test_the_reasons_of_the_early_ends_are_logged(filled: Filled) -> None:
    logs = filled.query(
        "select r.status, exception_type, log_message, stack_trace from system_logs join runs as r using (run_id) "
        "where r.status <> 'completed' and log_message like 'run %%'"
    )
    by_status = logs.set_index("status")
    assert by_status.loc["failed", "exception_type"] == "ValueError"
    assert "must be strictly positive when using multiplicative" in str(by_status.loc["failed", "log_message"])
    assert by_status.loc["killed", "exception_type"] == "IterationBudgetError"
    assert logs["stack_trace"].str.startswith("Traceback").all()
    steps = filled.query("select count(*) from metrics join runs using (run_id) where status = 'killed' and metric_name = 'log_likelihood'")
    assert steps.iloc[0, 0] == 10


def test_a_second_fill_changes_no_row(copy_of_filled: Filled) -> None:
    before = contents(copy_of_filled.url)
    summary = fill(copy_of_filled.url, copy_of_filled.home, lambda _: None)
    assert (summary.added, summary.known) == (0, 17)
    assert contents(copy_of_filled.url) == before


def test_two_databases_get_the_same_values(new_database: Callable[[str], str], tmp_path: Path) -> None:
    values = (
        "select run_uuid, run_fingerprint, model_uuid, unique_id, prediction_date, horizon, predicted_value, actual_value, lower_bound, "
        "upper_bound, confidence_level, cast(p.metadata as text) "
        "from predictions as p join runs using (run_id) join models using (model_id) order by 1, 3, 4, 5, 6, 11"
    )
    found = []
    for folder in ("one", "two"):
        url = new_database("forecast_tracking")
        fill(url, tmp_path / folder, lambda _: None, series=["nile"])
        found.append(
            (query(url, values), query(url, "select artifact_uuid, file_hash from artifacts where artifact_type <> 'log' order by 1"))
        )
    pd.testing.assert_frame_equal(found[0][0], found[1][0], check_exact=True)
    pd.testing.assert_frame_equal(found[0][1], found[1][1])


def test_a_choice_of_series_and_methods(new_database: Callable[[str], str], tmp_path: Path) -> None:
    url = new_database("forecast_tracking")
    assert fill(url, tmp_path, lambda _: None, series=["nile", "co2"], methods=["SeasonalNaive"]).added == 2
    assert set(query(url, "select distinct unique_id from predictions")["unique_id"]) == {"nile", "co2"}
    assert set(query(url, "select distinct model_type from models")["model_type"]) == {"SeasonalNaive"}
    with pytest.raises(UnknownNameError, match="no method named Prophet; choose from ARIMA, AutoReg, ETS, SeasonalNaive, Theta"):
        fill(url, tmp_path, lambda _: None, methods=["Prophet"])


def test_actual_values_are_those_of_the_series_and_the_last_cutoff_has_none(filled: Filled) -> None:
    points = filled.query("select unique_id, prediction_date, actual_value, metadata->>'cutoff' as cutoff from predictions")
    last = points.groupby("unique_id")["cutoff"].transform("max")
    assert (points["actual_value"].isna() == (points["cutoff"] == last)).all()
    known = points.dropna()
    real = pd.concat({one.unique_id: one.values for one in CATALOG})
    assert known["actual_value"].tolist() == real.loc[list(zip(known["unique_id"], known["prediction_date"], strict=True))].tolist()


def test_horizons_count_periods_from_the_cutoff(filled: Filled) -> None:
    points = filled.query("select unique_id, prediction_date, horizon, metadata->>'cutoff' as cutoff from predictions")
    months = {one.unique_id: {"MS": 1, "QS": 3, "YS": 12}[one.frequency] for one in CATALOG}
    cutoffs = pd.to_datetime(points["cutoff"])
    apart = (points["prediction_date"].dt.year - cutoffs.dt.year) * 12 + points["prediction_date"].dt.month - cutoffs.dt.month
    assert (apart == points["horizon"] * points["unique_id"].map(months)).all()


def test_each_point_has_an_interval_of_80_within_one_of_90_around_it(filled: Filled) -> None:
    wide = filled.query("select * from predictions").pivot_table(
        index=["model_id", "unique_id", "prediction_date", "horizon"],
        columns="confidence_level",
        values=["lower_bound", "predicted_value", "upper_bound"],
    )
    assert not wide.isna().any(axis=None)
    assert set(wide.columns.get_level_values(1)) == {0.8, 0.9}
    ordered = [("lower_bound", 0.9), ("lower_bound", 0.8), ("predicted_value", 0.8), ("upper_bound", 0.8), ("upper_bound", 0.9)]
    assert (np.diff(wide[ordered].to_numpy(), axis=1) >= 0).all()
    assert (wide["predicted_value", 0.8] == wide["predicted_value", 0.9]).all()


def test_metrics_follow_from_the_predictions(filled: Filled) -> None:
    points = filled.query(POINTS).dropna(subset="actual_value")
    points["cutoff"] = points["metadata"].map(lambda m: m["cutoff"])
    points["fold"] = points.groupby("unique_id")["cutoff"].rank(method="dense").astype(int)
    points["split"] = np.where(points["fold"] == 4, "test", "validation")
    metrics = filled.query("select * from metrics where model_id is not null and dataset_type <> 'train'")
    stored = metrics.set_index(["model_id", "dataset_type", "metric_step", "metric_name"])["metric_value"].to_dict()
    checked = 0
    for (model, split, fold), part in points.groupby(["model_id", "split", "fold"]):
        y, p = part["actual_value"].to_numpy(), part["predicted_value"].to_numpy()
        scale = part["metadata"].map(lambda m: m["scale_mae"]).to_numpy()
        expected = {
            "mae": np.abs(y - p).sum() / len(y),
            "rmse": np.sqrt(np.mean((y - p) ** 2)),
            "smape": np.mean([2 * abs(a - b) / (abs(a) + abs(b)) for a, b in zip(y, p, strict=True)]),
            "mase": np.mean(np.abs(y - p) / scale),
        }
        for name, value in expected.items():
            assert stored[model, split, fold, name] == pytest.approx(value)
            checked += 1
    assert checked == 15 * 4 * 4
    levels = filled.query(
        "select model_id, confidence_level, avg(cast(actual_value between lower_bound and upper_bound as integer)) as share "
        "from predictions where actual_value is not null group by 1, 2"
    )
    # Folds are of equal size, so the mean of their coverages is the coverage of all.
    folds = (
        metrics[metrics["metric_name"].str.startswith("coverage_")].groupby(["model_id", "metric_name"])["metric_value"].mean().to_dict()
    )
    for row in levels.to_dict("records"):
        assert folds[row["model_id"], f"coverage_{row['confidence_level'] * 100:.0f}"] == pytest.approx(float(row["share"]))


def test_scales_are_the_seasonal_naive_errors_of_the_training_sample(filled: Filled) -> None:
    # Yearly series are trained on their whole past, so the sample can be rebuilt from the series alone.
    rows = filled.query("select distinct unique_id, cast(metadata as text) as m from predictions where unique_id in ('nile', 'sunspots')")
    real = {one.unique_id: one.values for one in CATALOG}
    assert len(rows) == 10
    for row in rows.itertuples():
        metadata = json.loads(str(row.m))
        past = real[str(row.unique_id)].loc[: metadata["cutoff"]].to_numpy()
        assert metadata["season_length"] == 1
        assert metadata["scale_mae"] == pytest.approx(np.mean(np.abs(past[1:] - past[:-1])))
        assert metadata["scale_mse"] == pytest.approx(np.mean((past[1:] - past[:-1]) ** 2))


def test_summaries_follow_from_the_metrics(filled: Filled) -> None:
    metrics = filled.query("select * from metrics")
    summaries = filled.query("select * from metric_summaries")
    keys = ["run_id", "model_id", "metric_name", "dataset_type"]
    values = {tuple(key): part.to_numpy() for key, part in metrics.fillna({"model_id": 0}).groupby(keys)["metric_value"]}
    assert len(values) == len(summaries)
    for row in summaries.fillna({"model_id": 0}).to_dict("records"):
        sample = values[tuple(row[key] for key in keys)]
        assert row["sample_count"] == len(sample)
        quartiles = np.percentile(sample, [0, 25, 50, 75, 100])
        assert [row[f"{name}_value"] for name in ("min", "q1", "median", "q3", "max")] == pytest.approx(quartiles.tolist())
        assert row["mean_value"] == pytest.approx(sample.mean())
        assert (np.isnan(row["std_value"]) and len(sample) == 1) or row["std_value"] == pytest.approx(sample.std(ddof=1))


def test_files_are_there_with_their_size_and_hash(filled: Filled) -> None:
    artifacts = filled.query("select * from artifacts")
    for row in artifacts.itertuples():
        content = (filled.home / "forecast_tracking" / str(row.artifact_path)).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (row.file_size_bytes, row.file_hash)
        assert row.storage_path == (filled.home / "forecast_tracking" / str(row.artifact_path)).resolve().as_uri()
    assert artifacts.groupby("artifact_type").size().to_dict() == {"config": 17, "model": 15, "prediction": 15, "log": 2}


def test_data_sets_lead_from_the_panel_to_the_file_of_statsmodels(filled: Filled) -> None:
    lineage = filled.query(
        "select child.dataset_name, child.frequency, child.num_rows, child.metadata->>'season_length' as season, parent.file_path "
        "from datasets as child join datasets as parent on parent.dataset_id = child.parent_dataset_id"
    ).set_index("dataset_name")
    assert set(lineage.index) == {one.unique_id for one in CATALOG}
    assert list(lineage.loc["nile"]) == ["YS", 100, "1", "statsmodels/datasets/nile/nile.csv"]
    assert list(lineage.loc["real_gdp"]) == ["QS", 203, "4", "statsmodels/datasets/macrodata/macrodata.csv"]
    nile = filled.query(
        "select f.* from dataset_features as f join datasets using (dataset_id) where dataset_name = 'nile' and feature_role = 'target'"
    )
    # Published statistics of Cobb's Nile data: mean 919.35, range 456 to 1370.
    assert nile[["min_value", "max_value", "mean_value"]].iloc[0].tolist() == [456.0, 1370.0, pytest.approx(919.35)]


def test_the_version_in_production_has_the_lowest_test_mase(filled: Filled) -> None:
    registry = filled.query(
        "select registered_model_name, model_version, current_stage, previous_stage, metric_value as mase, stage_transition_at "
        "from model_registry join metrics using (model_id) where metric_name = 'mase' and dataset_type = 'test'"
    )
    assert len(registry) == 15
    for _, versions in registry.groupby("registered_model_name"):
        assert versions.sort_values("mase")["current_stage"].iloc[0] == "production"
        assert (versions["current_stage"] == "production").sum() == 1
        assert (versions.loc[versions["current_stage"] == "archived", "previous_stage"] == "production").all()
        assert versions.loc[versions["current_stage"] == "staging", "stage_transition_at"].isna().all()


def test_trials_are_children_and_the_best_one_is_used(filled: Filled) -> None:
    trials = filled.query(
        "select parent_run_id, param_value, avg(metric_value) as mase "
        "from runs join hyperparameters using (run_id) join metrics using (run_id) "
        "where parent_run_id is not null and param_key = 'theta' and metric_name = 'mase' group by 1, 2"
    )
    used = filled.query(
        "select run_id, param_value from hyperparameters where param_key = 'theta' and param_category = 'method'"
    ).set_index("run_id")
    assert trials.groupby("parent_run_id").size().tolist() == [3, 3, 3]
    for parent, group in trials.groupby("parent_run_id"):
        assert used["param_value"].to_dict()[parent] == group.sort_values("mase")["param_value"].iloc[0]


def test_fingerprints_are_the_hashes_of_the_configurations(filled: Filled) -> None:
    runs = filled.query("select run_fingerprint, metadata from runs")
    hashes = [hashlib.sha256(json.dumps(m, sort_keys=True, separators=(",", ":")).encode()).hexdigest() for m in runs["metadata"]]
    assert runs["run_fingerprint"].tolist() == hashes
    assert runs["run_fingerprint"].is_unique


def test_durations_are_the_time_from_start_to_end(filled: Filled) -> None:
    runs = filled.query("select extract(epoch from end_time - start_time) as seconds, execution_duration_seconds as stored from runs")
    assert runs["seconds"].astype(float).tolist() == pytest.approx(runs["stored"].astype(float).tolist(), abs=1e-6)


def test_predictions_lie_in_partitions_of_their_quarter(filled: Filled) -> None:
    assert filled.query("select count(*) from predictions where tableoid in (select partdefid from pg_partitioned_table)").iloc[0, 0] == 0


def test_actual_values_arrive_in_place_and_once(copy_of_filled: Filled) -> None:
    url = copy_of_filled.url
    before = query(url, "select * from predictions order by prediction_id")
    assert deliver_actuals(url) == before["actual_value"].isna().sum() == 720
    after = query(url, "select * from predictions order by prediction_id")
    pd.testing.assert_frame_equal(after.drop(columns="actual_value"), before.drop(columns="actual_value"))
    real = pd.concat({one.unique_id: one.values for one in CATALOG})
    assert after["actual_value"].tolist() == real.loc[list(zip(after["unique_id"], after["prediction_date"], strict=True))].tolist()
    production = query(
        url, "select metric_name, count(*) as n from metrics where dataset_type = 'production' and metric_step = 5 group by 1"
    )
    assert dict(zip(production["metric_name"], production["n"], strict=True)) == dict.fromkeys(
        ("mae", "rmse", "smape", "mase", "coverage_80", "coverage_90"), 15
    )
    registered = query(
        url,
        "select production_metrics, metric_value from model_registry join metrics using (model_id) "
        "where current_stage = 'production' and dataset_type = 'production' and metric_name = 'mae'",
    )
    assert [row["mae"] for row in registered["production_metrics"]] == registered["metric_value"].tolist()
    unchanged = contents(url)
    assert deliver_actuals(url) == 0
    assert contents(url) == unchanged
    assert fill(url, copy_of_filled.home, lambda _: None).added == 0
    assert contents(url) == unchanged
