"""Running a suite when something is in the way, and samples that can be written as JSON."""

import json
from collections.abc import Callable

import psycopg2
import pytest

from dagster_project.quality.suites import load_suites
from dagster_project.quality.validation import SAMPLE_ROWS, CheckResult, validate
from tests.integration.quality.conftest import PROJECT, database_of, execute

SUITES = load_suites()


def _validate(url: str, suite: str) -> dict[str, CheckResult]:
    """Results of a suite by check."""
    results = validate(url, SUITES[f"forecast_tracking.{suite}"], PROJECT, everything=True).results
    return {result.check_name: result for result in results}


def _failed(url: str, suite: str) -> dict[str, CheckResult]:
    return {name: result for name, result in _validate(url, suite).items() if not result.is_success}


@pytest.fixture
def url(clean_warehouse: str, copy_database: Callable[[str], str]) -> str:
    return copy_database(database_of(clean_warehouse))


def test_missing_table_is_an_error_of_every_check_that_reads_it(url: str) -> None:
    execute(url, "drop table raw_forecast_tracking.tags")
    results = _validate(url, "tags")
    assert [name for name, result in results.items() if result.is_success] == []
    assert "raw_forecast_tracking.tags" in str(results["key_is_unique"].error)
    assert {result.evaluated_rows for result in results.values()} == {None}


def test_dropped_column_is_an_error_of_its_checks_and_a_failure_of_the_column_check(url: str) -> None:
    execute(url, "alter table raw_forecast_tracking.tags drop column usage_count")
    failed = _failed(url, "tags")
    assert set(failed) == {"columns_are_as_declared", "usage_count_is_not_negative"}
    assert "usage_count" in str(failed["usage_count_is_not_negative"].error)
    assert failed["usage_count_is_not_negative"].failing_rows is None
    assert failed["columns_are_as_declared"].failing_sample == (
        {"column_name": "usage_count", "declared_type": "integer", "found_type": None},
    )


def test_sample_is_small_and_can_be_written_as_json(url: str) -> None:
    execute(
        url,
        "insert into raw_forecast_tracking.predictions (prediction_id, run_id, model_id, prediction_date, unique_id, horizon, "
        "predicted_value, created_at, _batch_id, _synced_at) select number, 1, 1, '2025-02-01', 'a', 1, 'NaN', '2025-01-01', 1, now() "
        "from generate_series(100, 149) as number",
    )
    results = _validate(url, "predictions")
    finite = results["values_are_finite"]
    assert finite.failing_rows == 50
    assert len(finite.failing_sample) == SAMPLE_ROWS
    row = json.loads(json.dumps(finite.failing_sample[0], allow_nan=False))
    assert row["prediction_date"] == "2025-02-01T00:00:00"
    assert row["predicted_value"] == "NaN"


def test_empty_table_passes_what_is_about_rows(url: str) -> None:
    execute(url, "delete from raw_forecast_tracking.tags")
    failed = _failed(url, "tags").keys()
    assert failed == {"row_count_equals_source"}


def test_unreachable_warehouse_is_an_error_of_the_connection() -> None:
    with pytest.raises(psycopg2.OperationalError):
        validate("postgresql://postgres@/warehouse?host=%2Fnowhere", SUITES["forecast_tracking.tags"], PROJECT)


def test_rows_of_raw_tables_are_counted_once(url: str) -> None:
    """A check that asks how many there are takes the number that is kept, unless everything is asked."""
    raw, mart = SUITES["forecast_tracking.metrics"], SUITES["analytics.metric_summary"]
    validate(url, raw, PROJECT, everything=True)
    execute(url, "update quality.counted_rows set rows = rows + 5 where asset_key = 'forecast_tracking.metrics'")

    def every_metric_is_counted(*, everything: bool) -> bool:
        results = validate(url, mart, PROJECT, everything=everything).results
        return next(result.is_success for result in results if result.check_name == "every_metric_is_counted")

    assert every_metric_is_counted(everything=True)
    execute(url, "delete from quality.verdicts where asset_key = 'analytics/metric_summary'")
    assert not every_metric_is_counted(everything=False)
