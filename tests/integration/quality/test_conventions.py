"""What is odd, or right though it looks odd: it fails no critical check, or none, and ranges of metrics are the user's to set."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import psycopg2
import pytest

from dagster_project.components.known import Known
from dagster_project.defs.quality import expectation_checks
from dagster_project.defs.soundness import soundness
from dagster_project.quality.compiling import failing_query
from dagster_project.quality.rules import rule
from dagster_project.quality.suites import Expectation, Suite, load_suites
from dagster_project.quality.validation import validate
from dagster_project.resources.warehouse import Warehouses
from dagster_project.warehouse import DEFAULT, Warehouse
from tests.integration.quality.conftest import PROJECT, database_of, execute, fetch

SUITES = load_suites()
METRICS = SUITES["forecast_tracking.metrics"]
KEY = dg.AssetKey(METRICS.asset_key)
RAW = "raw_forecast_tracking"


def _query(suite: Suite, expectation: Expectation) -> str:
    """What finds the rows that break an expectation."""
    compiled = rule(suite, expectation)
    assert compiled
    return failing_query(compiled, suite.rows_query)


_PREDICTION = (
    f"insert into {RAW}.predictions (prediction_id, run_id, model_id, prediction_date, unique_id, horizon, predicted_value, actual_value, "
    "metadata, created_at, _batch_id, _synced_at) select 100 + number, 1, 1, timestamp '2025-01-01' + step * interval '{days} days', "
    "'{series}', horizon, 1, {actual}, jsonb_build_object('cutoff', '{cutoff}'), '2025-01-01', 1, now() "
    "from unnest(array[{horizons}]) with ordinality as known (horizon, number) cross join lateral (select {step} as step) as place"
)


def _predictions(
    series: str, horizons: str, *, days: int = 1, step: str = "horizon", cutoff: str = "2025-01-01", actual: str = "null"
) -> str:
    return _PREDICTION.format(series=series, horizons=horizons, days=days, step=step, cutoff=cutoff, actual=actual)


@dg.asset(key=KEY)
def metrics() -> None:
    """Stands for the sync: the rows are there already."""


@dg.asset(deps=[metrics])
def mart() -> None:
    """Stands for what is built of metrics."""


@pytest.fixture
def url(clean_warehouse: str, copy_database: Callable[[str], str]) -> str:
    return copy_database(database_of(clean_warehouse))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def _check_and_build(warehouse: Warehouse, instance: dg.DagsterInstance) -> dict[str, dg.AssetCheckSeverity]:
    """What failed, of a run that checks metrics and builds upon them."""
    definitions = dg.Definitions(
        assets=[metrics, mart],
        asset_checks=[expectation_checks([METRICS], DEFAULT)],
        jobs=[dg.define_asset_job("everything", dg.AssetSelection.all())],
        resources={"warehouses": Warehouses((warehouse,))},
    )
    result = definitions.resolve_job_def("everything").execute_in_process(instance=instance, raise_on_error=False)
    assert bool(result.asset_materializations_for_node("mart")) == result.success
    return {check.check_name: check.severity for check in result.get_asset_check_evaluations() if not check.passed}


@pytest.mark.parametrize(("name", "value"), [("accuracy", 93.5), ("coverage_90", 90), ("nrmse", -0.2), ("r2", 93.5), ("smape", 250)])
def test_value_outside_a_convention_is_shown_and_holds_back_no_mart(
    url: str, instance: dg.DagsterInstance, tmp_path: Path, name: str, value: float
) -> None:
    execute(url, f"update {RAW}.metrics set metric_name = '{name}', metric_value = {value} where metric_id = 1")
    assert _check_and_build(Warehouse(url, tmp_path), instance) == {"values_are_within_convention": dg.AssetCheckSeverity.WARN}
    assert soundness(Known(instance), [KEY]).complaints() == []
    ((severity, sample),) = fetch(url, "select severity, failing_sample -> 0 from quality.validation_results where not is_success")
    assert severity == "warning"
    assert isinstance(sample, dict)
    assert (sample["metric_id"], sample["metric_value"]) == (1, value)
    assert sample["convention"]


def test_value_that_cannot_be_is_set_aside(url: str, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    execute(url, f"update {RAW}.metrics set metric_name = 'accuracy', metric_value = -1 where metric_id = 1")
    assert _check_and_build(Warehouse(url, tmp_path), instance) == {"values_are_possible": dg.AssetCheckSeverity.ERROR}
    assert soundness(Known(instance), [KEY]).complaints() == []
    assert fetch(url, f"select metric_id from {RAW}.metrics where _quarantined_at is not null") == [(1,)]


def test_range_is_set_by_metric_and_by_experiment(url: str, tmp_path: Path) -> None:
    ranges = tmp_path / "metric_ranges.yaml"
    execute(
        url,
        f"update {RAW}.metrics set metric_name = 'Accuracy', metric_value = 93.5 where metric_id = 1",
        f"update {RAW}.metrics set metric_name = 'coverage_90', metric_value = 90 where metric_id = 2",
        f"update {RAW}.metrics set metric_name = 'coverage_80', metric_value = 80 where metric_id = 3",
        # The run of another experiment.
        f"update {RAW}.metrics set metric_name = 'accuracy', metric_value = 94.5, run_id = 4, model_id = null where metric_id = 4",
        f"update {RAW}.metrics set metric_name = 'lift', metric_value = 7 where metric_id = 5",
    )

    def outside(text: str) -> tuple[set[object], set[object]]:
        """Ids of the metrics that are not within convention, and of those that are not possible."""
        ranges.write_text(text, encoding="utf-8")
        results = {result.check_name: result for result in validate(url, METRICS, replace(PROJECT, ranges_file=ranges)).results}
        found = (results[f"values_are_{kind}"].failing_sample for kind in ("within_convention", "possible"))
        odd, wrong = ({row["metric_id"] for row in rows} for rows in found)
        return odd, wrong

    usual = (
        "- {metric: accuracy, expected: [0, 1], possible: [0, 100], convention: a share}\n"
        "- {metric: coverage, expected: [0, 1], possible: [0, 100], convention: a share}\n"
    )
    assert outside("") == (set(), set())
    assert outside(usual) == ({1, 2, 3, 4}, set())
    assert outside(usual + "- {metric: coverage_90, expected: [0, 100], convention: in percent}\n") == ({1, 3, 4}, set())
    percent = usual + "- {metric: accuracy, experiment: monthly demand, expected: [0, 100], convention: in percent}\n"
    assert outside(percent) == ({2, 3, 4}, set())
    assert outside(percent.replace("expected: [0, 100]", "expected: [0, 50]")) == ({1, 2, 3, 4}, set())
    only_there = "- {metric: lift, experiment: monthly demand, expected: [0, 1], possible: [0, 2], convention: of ours}\n"
    assert outside(only_there) == (set(), {5})
    assert outside(only_there.replace("monthly demand", "old")) == (set(), set())
    assert fetch(url, "select metric_name, experiment_name, expected_max, possible_max from quality.metric_ranges") == [
        ("lift", "old", 1, 2)
    ]


@pytest.mark.parametrize(
    "statement",
    [
        f"update {RAW}.runs set status = 'scheduled', start_time = '2999-01-01' where run_id = 3",
        f"update {RAW}.runs set start_time = _synced_at at time zone 'UTC' + interval '4 minutes' where run_id = 3",
        f"update {RAW}.runs set execution_duration_seconds = 302 where run_id = 1",
        f"update {RAW}.runs set execution_duration_seconds = null where run_id = 1",
        f"update {RAW}.runs set parent_run_id = 4 where run_id = 1",
        f"update {RAW}.metrics set metric_name = 'mean absolute error' where metric_id = 1",
        f"update {RAW}.metrics set metric_name = 'loss', metric_value = -5 where metric_id = 1",
        f"update {RAW}.predictions set actual_value = null where prediction_id = 4",
        f"update {RAW}.predictions set actual_value = 11.000001 where prediction_id = 4",
        # The same name in another experiment is another series.
        f"update {RAW}.predictions set actual_value = 99, run_id = 4 where prediction_id = 4; "
        f"update {RAW}.models set run_id = 4 where model_id = 2; update {RAW}.metrics set run_id = 4 where model_id = 2",
        f"""update {RAW}.predictions set metadata = '{{"cutoff": "not known"}}' where prediction_id = 1""",
        # Days without weekends; months; only the steps that are asked for; a series by month beside one by day.
        _predictions("c", "1, 2, 3, 4", step="(array[1, 4, 5, 8])[number]"),
        _predictions("c", "1, 2, 3", step="(array[31, 59, 90])[number]"),
        _predictions("c", "1, 7, 28"),
        f"{_predictions('c', '1, 2, 3')}; {_predictions('d', '1, 2, 3', days=30)}",
    ],
)
def test_what_is_right_though_it_looks_odd_fails_no_check(clean_warehouse: str, statement: str) -> None:
    connection = psycopg2.connect(clean_warehouse)
    with connection.cursor() as cursor:
        cursor.execute(statement)
        failing = {}
        for table in ("runs", "metrics", "predictions"):
            suite = SUITES[f"forecast_tracking.{table}"]
            for expectation in suite.expectations:
                cursor.execute(_query(suite, expectation))
                failing[f"{suite.table}__{expectation.meta.check}"] = cursor.fetchall()
    connection.rollback()
    connection.close()
    # Rows of the test's own are not in the source.
    del failing["predictions__row_count_equals_source"]
    assert {check: rows for check, rows in failing.items() if rows} == {}


def test_ancestors_are_followed_once_each(clean_warehouse: str) -> None:
    """A line of 300 runs whose parents are younger, which ends in a circle of two: one run is shown."""
    connection = psycopg2.connect(clean_warehouse)
    suite = SUITES["forecast_tracking.runs"].only({"parents_form_no_circle"})
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into {RAW}.runs (run_id, run_uuid, experiment_id, parent_run_id, run_name, run_fingerprint, status, lifecycle_stage, "
            "start_time, created_at, updated_at, _batch_id, _synced_at) select number, gen_random_uuid(), 1, least(number + 1, 1300), "
            "'run', number, 'running', 'active', '2025-01-01', '2025-01-01', '2025-01-01', 1, now() "
            "from generate_series(1001, 1300) as number; "
            f"update {RAW}.runs set parent_run_id = 1299 where run_id = 1300"
        )
        cursor.execute(_query(suite, suite.expectations[0]))
        assert cursor.fetchall() == [(1299, 1300)]
    connection.rollback()
    connection.close()
