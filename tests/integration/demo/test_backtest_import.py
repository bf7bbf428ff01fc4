"""Importing files of forecasts: what is in the file is in the database, once, and all of it or nothing."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from utilsforecast import losses

from dagster_project.demo import tracking
from dagster_project.demo.backtest_files import BacktestFileError
from dagster_project.demo.backtest_import import Choices, ImportSummary, read_backtest, track_backtest
from tests.integration.demo.conftest import Filled, query

CASES = Path(__file__).parents[2] / "cases"
COUNTS = "select (select count(*) from runs) as runs, (select count(*) from models) as models, (select count(*) from predictions) as rows"


def frame() -> pd.DataFrame:
    """Two series, three cutoffs, three steps; a hyphenated model with two levels and a quantile model."""
    rows = [(uid, cutoff + step, cutoff) for uid in ("a", "b") for cutoff in (100, 103, 106) for step in (1, 2, 3)]
    keys = pd.DataFrame(rows, columns=["unique_id", "ds", "cutoff"])
    rng = np.random.default_rng(3)
    actual = rng.normal(50, 10, len(keys))
    actual[keys["cutoff"] == 106] = np.nan
    point = actual * 0 + rng.normal(50, 10, len(keys))
    point[np.isnan(point)] = 55.5
    spread = {"Auto-ARIMA-lo-80": -5.0, "Auto-ARIMA-hi-80": 5.0, "Auto-ARIMA-lo-95": -9.0, "Auto-ARIMA-hi-95": 9.0}
    return keys.assign(y=actual, **{"TFT-median": point + 1, "Auto-ARIMA": point, **{name: point + by for name, by in spread.items()}})


def written(folder: Path, content: pd.DataFrame, name: str = "mine.parquet") -> Path:
    path = folder / name
    content.to_parquet(path) if name.endswith("parquet") else content.to_csv(path, index=False)
    return path


def import_backtest(url: str, file: Path, experiment: str, choices: Choices | None = None, framework: str = "unknown") -> ImportSummary:
    return track_backtest(url, read_backtest(file, choices), experiment, framework)


def test_what_is_in_the_file_is_in_the_database(new_database: Callable[[str], str], tmp_path: Path) -> None:
    url, content = new_database("forecast_tracking"), frame()
    summary = import_backtest(url, written(tmp_path, content), "mine", framework="statsforecast")
    assert (set(summary.models), summary.predictions, summary.skipped, summary.is_new) == ({"TFT", "Auto-ARIMA"}, 18 + 36, 0, True)
    stored = query(
        url,
        "select model_type, framework, confidence_level, unique_id, (p.metadata->>'ds_integer')::int as ds, "
        "(p.metadata->>'cutoff_integer')::int as cutoff, p.metadata->>'cutoff' as cutoff_time, prediction_date, horizon, actual_value, "
        "predicted_value, lower_bound, upper_bound from predictions as p join models using (model_id) "
        "order by unique_id, cutoff, ds",
    )
    assert set(stored["framework"]) == {"statsforecast"}
    assert (stored["horizon"] == stored["ds"] - stored["cutoff"]).all()
    assert (stored["prediction_date"] == pd.Timestamp(0) + pd.to_timedelta(stored["ds"], unit="D")).all()
    assert (pd.to_datetime(stored["cutoff_time"]) == pd.Timestamp(0) + pd.to_timedelta(stored["cutoff"], unit="D")).all()
    for model, point, level in (("Auto-ARIMA", "Auto-ARIMA", 80), ("Auto-ARIMA", "Auto-ARIMA", 95), ("TFT", "TFT-median", None)):
        has_level = stored["confidence_level"].isna() if level is None else stored["confidence_level"] == level / 100
        part = stored[(stored["model_type"] == model) & has_level]
        np.testing.assert_array_equal(part["predicted_value"], content[point])
        np.testing.assert_array_equal(part["actual_value"], content["y"])
        if level is None:
            assert part[["lower_bound", "upper_bound"]].isna().all(axis=None)
        else:
            np.testing.assert_array_equal(part["lower_bound"], content[f"{model}-lo-{level}"])
            np.testing.assert_array_equal(part["upper_bound"], content[f"{model}-hi-{level}"])


def test_metrics_of_the_last_known_cutoff_are_the_test(new_database: Callable[[str], str], tmp_path: Path) -> None:
    url, content = new_database("forecast_tracking"), frame()
    import_backtest(url, written(tmp_path, content, "mine.csv"), "mine")
    metrics = query(url, "select * from metrics join models using (model_id) where model_type = 'Auto-ARIMA'")
    stored = metrics.set_index(["dataset_type", "metric_step", "metric_name"])["metric_value"]
    for split, step, cutoff in (("validation", 1, 100), ("test", 2, 103)):
        part = content[content["cutoff"] == cutoff]
        assert stored[split, step, "mae"] == pytest.approx((part["y"] - part["Auto-ARIMA"]).abs().mean())
        inside = part["y"].between(part["Auto-ARIMA-lo-80"], part["Auto-ARIMA-hi-80"])
        assert stored[split, step, "coverage_80"] == pytest.approx(inside.mean())
    assert set(metrics["dataset_type"]) == {"validation", "test"}


def test_the_same_file_twice_is_one_run(new_database: Callable[[str], str], tmp_path: Path) -> None:
    url, path = new_database("forecast_tracking"), written(tmp_path, frame())
    first = import_backtest(url, path, "mine")
    before = query(url, COUNTS)
    second = import_backtest(url, path, "mine")
    assert (second.run_id, second.predictions, second.is_new) == (first.run_id, 0, False)
    pd.testing.assert_frame_equal(query(url, COUNTS), before)
    assert import_backtest(url, path, "another").is_new
    changed = frame()
    changed["Auto-ARIMA"] += 1
    assert import_backtest(url, written(tmp_path, changed), "mine").is_new


def test_a_file_that_was_deleted_from_the_tracker_may_be_imported_again(new_database: Callable[[str], str], tmp_path: Path) -> None:
    url, path = new_database("forecast_tracking"), written(tmp_path, frame())
    first = import_backtest(url, path, "mine")
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("update runs set deleted_at = now()")
    connection.close()
    assert import_backtest(url, path, "mine").run_id != first.run_id


def test_a_bad_file_leaves_nothing(new_database: Callable[[str], str], tmp_path: Path) -> None:
    url = new_database("forecast_tracking")
    with pytest.raises(BacktestFileError, match="columns cutoff are missing"):
        import_backtest(url, written(tmp_path, frame().drop(columns="cutoff")), "mine")
    with pytest.raises(BacktestFileError, match="framework 'My Library' is no name of a library"):
        import_backtest(url, written(tmp_path, frame()), "mine", framework="My Library")
    for name in ("e" * 250, " ", "mine\0"):
        with pytest.raises(BacktestFileError, match=r"is longer than 255 characters; give a shorter --experiment|is no name"):
            import_backtest(url, written(tmp_path, frame()), name)
    assert query(url, COUNTS).iloc[0].tolist() == [0, 0, 0]
    assert query(url, "select count(*) from experiments").iloc[0, 0] == 0


def test_what_fails_late_leaves_nothing(new_database: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = new_database("forecast_tracking")
    before = query(url, COUNTS)
    monkeypatch.setattr(tracking, "add_summaries", lambda session, *_: session.execute(text("select 1 / 0")))
    with pytest.raises(DBAPIError):
        import_backtest(url, written(tmp_path, frame()), "mine")
    pd.testing.assert_frame_equal(query(url, COUNTS), before)
    assert query(url, "select count(*) from experiments").iloc[0, 0] == 0


def test_other_choices_for_a_file_that_is_tracked_are_refused(new_database: Callable[[str], str], tmp_path: Path) -> None:
    url, path = new_database("forecast_tracking"), written(tmp_path, frame())
    first = import_backtest(url, path, "mine")
    with pytest.raises(
        BacktestFileError, match=f"has mine.parquet already, as run {first.run_id} with another choice of models; import it to"
    ):
        import_backtest(url, path, "mine", Choices(models="TFT"))
    with pytest.raises(BacktestFileError, match="with another choice of season_length"):
        import_backtest(url, path, "mine", Choices(season_length=3))
    assert import_backtest(url, path, "other", Choices(models="TFT")).models == ("TFT",)
    # One that an earlier version imported kept no choices; it is tracked all the same.
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("update runs set metadata = metadata - 'choices'")
    connection.close()
    assert not import_backtest(url, path, "mine", Choices(season_length=3)).is_new


def test_levels_with_decimals_are_stored_as_they_are(new_database: Callable[[str], str], tmp_path: Path) -> None:
    levels = (97.5, 99.9, 99.99)
    content = frame()[["unique_id", "ds", "cutoff", "y", "Auto-ARIMA"]]
    bounds = {f"Auto-ARIMA-{side}-{level:.7g}": content["Auto-ARIMA"] + by for level in levels for side, by in (("lo", -1), ("hi", 1))}
    url = new_database("forecast_tracking")
    import_backtest(url, written(tmp_path, content.assign(**bounds)), "mine")
    stored = query(url, "select distinct confidence_level::text as level from predictions order by 1")["level"]
    assert stored.tolist() == [f"{level / 100:.6f}" for level in levels]
    names = query(url, "select distinct metric_name from metrics where metric_name like 'coverage%%' order by 1")["metric_name"]
    assert names.tolist() == ["coverage_97.5", "coverage_99.9", "coverage_99.99"]


@pytest.mark.parametrize("case", ["huge", "na", "quantiles", "zone"])
def test_what_an_import_writes_is_finite(new_database: Callable[[str], str], case: str) -> None:
    url = new_database("forecast_tracking")
    assert import_backtest(url, CASES / f"import_{case}.csv", "mine").is_new
    odd = "('NaN', 'Infinity', '-Infinity')"
    assert query(url, f"select count(*) from metrics where metric_value in {odd}").iloc[0, 0] == 0
    assert query(url, f"select count(*) from metric_summaries where mean_value in {odd} or std_value in {odd}").iloc[0, 0] == 0
    forecasts = query(url, "select unique_id, predicted_value, prediction_date from predictions order by prediction_id")
    assert len(forecasts) == {"huge": 2, "na": 4, "quantiles": 4, "zone": 1}[case]
    if case == "zone":
        assert forecasts["prediction_date"].tolist() == [pd.Timestamp("2026-02-01")]


def test_scales_of_a_history_reach_metrics_and_metadata_as_the_peer_computes_them(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    history = pd.DataFrame(
        [(uid, day, value) for uid in ("a", "b") for day, value in enumerate(rng.normal(50, 10, 109))], columns=["unique_id", "ds", "y"]
    )
    content = frame().drop(columns="y").merge(history, on=["unique_id", "ds"], how="left")
    url = new_database("forecast_tracking")
    choices = Choices(history=written(tmp_path, history, "history.csv"), season_length=7)
    import_backtest(url, written(tmp_path, content), "mine", choices)
    stored = query(
        url,
        "select unique_id, (metadata->>'cutoff_integer')::int as cutoff, (metadata->>'season_length')::int as season, "
        "(metadata->>'scale_mae')::float8 as mae, (metadata->>'scale_mse')::float8 as mse from predictions",
    ).drop_duplicates()
    assert len(stored) == 6
    assert set(stored["season"]) == {7}
    expected = []
    for (uid, cutoff), part in content.groupby(["unique_id", "cutoff"]):
        training = history[(history["unique_id"] == uid) & (history["ds"] <= cutoff)]
        score = losses.mase(part, ["Auto-ARIMA"], seasonality=7, train_df=training)["Auto-ARIMA"].iloc[0]
        root = losses.rmsse(part, ["Auto-ARIMA"], seasonality=7, train_df=training)["Auto-ARIMA"].iloc[0]
        error = part["y"] - part["Auto-ARIMA"]
        found = stored[(stored["unique_id"] == uid) & (stored["cutoff"] == cutoff)].iloc[0]
        assert (error.abs().mean() / found["mae"], np.sqrt((error**2).mean() / found["mse"])) == pytest.approx((score, root))
        expected.append((cutoff, score))
    metrics = query(
        url,
        "select metric_step, metric_value from metrics join models using (model_id) "
        "where metric_name = 'mase' and model_type = 'Auto-ARIMA'",
    )
    by_cutoff = pd.DataFrame(expected, columns=["cutoff", "mase"]).groupby("cutoff")["mase"].mean()
    assert metrics.sort_values("metric_step")["metric_value"].tolist() == pytest.approx(by_cutoff.tolist())


def test_actual_values_of_earlier_cutoffs_give_the_scale_of_later_ones(new_database: Callable[[str], str], tmp_path: Path) -> None:
    url = new_database("forecast_tracking")
    content = frame().assign(y=[float(number) ** 2 for number in range(18)])
    import_backtest(url, written(tmp_path, content), "mine", Choices(season_length=3))
    stored = query(
        url, "select unique_id, (metadata->>'cutoff_integer')::int as cutoff, (metadata->>'scale_mae')::float8 as mae from predictions"
    )
    by_cutoff = stored.drop_duplicates().set_index(["unique_id", "cutoff"])["mae"]
    # The last cutoff sees six observations: 0, 1, 4, 9, 16, 25 and, of the other series, 81 to 196. Differences over three of them:
    assert by_cutoff["a", 106] == (9 + 15 + 21) / 3
    assert by_cutoff["b", 106] == (63 + 69 + 75) / 3
    assert by_cutoff.drop(index=[("a", 106), ("b", 106)]).isna().all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h: pd.concat([h, h.head(1)]), "unique_id a, ds 1 occurs more than once"),
        (lambda h: h.assign(ds="2024-01-01"), "its ds are given as dates, those of the forecasts as integers"),
        (lambda h: h.assign(y="much"), "the column y holds 'much', which is not a number, in row 1"),
        (lambda h: h.drop(columns="y"), "the columns y are missing; found unique_id, ds"),
    ],
)
def test_a_history_that_is_wrong_is_named(tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], words: str) -> None:
    history = written(tmp_path, change(pd.DataFrame({"unique_id": ["a", "a"], "ds": [1, 2], "y": [1.0, 2.0]})), "history.csv")
    with pytest.raises(BacktestFileError, match=f"history.csv: {words}"):
        read_backtest(written(tmp_path, frame()), Choices(history=history))


def test_forecasts_of_the_workload_survive_the_way_through_a_file(filled: Filled, new_database: Callable[[str], str]) -> None:
    source = filled.query(
        "select run_id, storage_path from artifacts join runs using (run_id) join experiments using (experiment_id) "
        "where artifact_name = 'forecasts.csv' and experiment_name = 'quarterly'"
    ).iloc[0]
    url = new_database("forecast_tracking")
    import_backtest(url, Path(str(source["storage_path"]).removeprefix("file://")), "again")
    columns = (
        "unique_id, prediction_date, horizon, predicted_value, actual_value, lower_bound, upper_bound, confidence_level, "
        "metadata->>'cutoff' as cutoff"
    )
    order = "order by 1, 2, 3, 8"
    there = filled.query(f"select {columns} from predictions where run_id = {source['run_id']} {order}")
    pd.testing.assert_frame_equal(query(url, f"select {columns} from predictions {order}"), there, check_exact=True)
    assert set(there["confidence_level"]) == {0.8, 0.9}


def test_many_rows_are_imported(new_database: Callable[[str], str], tmp_path: Path) -> None:
    keys = pd.MultiIndex.from_product([range(1000), pd.date_range("2025-01-01", periods=20)], names=["unique_id", "ds"]).to_frame(
        index=False
    )
    content = keys.assign(cutoff=pd.Timestamp("2024-12-31"), y=1.0, M=2.0, **{"M-lo-90": 0.0, "M-hi-90": 3.0})
    url = new_database("forecast_tracking")
    assert import_backtest(url, written(tmp_path, content), "large").predictions == 20_000
    stored = query(url, "select count(*) as n, max(horizon) as last, max(confidence_level) as level from predictions").iloc[0]
    assert (stored["n"], stored["last"], Decimal(str(stored["level"]))) == (20_000, 20, Decimal("0.9"))
