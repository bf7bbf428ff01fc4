"""Running a suite when something is in the way, and samples that can be written as JSON."""

import json
from collections.abc import Callable

import psycopg2
import pytest

from dagster_project.quality.suites import load_suites
from dagster_project.quality.validation import SAMPLE_ROWS, validate
from tests.integration.quality.conftest import database_of, execute

SUITES = load_suites()


@pytest.fixture
def url(clean_warehouse: str, copy_database: Callable[[str], str]) -> str:
    return copy_database(database_of(clean_warehouse))


def test_missing_table_is_an_error_of_every_check_that_reads_it(url: str) -> None:
    execute(url, "drop table raw_forecast_tracking.tags")
    results = {result.check_name: result for result in validate(url, SUITES["forecast_tracking.tags"]).results}
    assert not any(result.is_success for result in results.values())
    assert "raw_forecast_tracking.tags" in str(results["tags__key_is_unique"].error)
    assert {result.evaluated_rows for result in results.values()} == {None}


def test_dropped_column_is_an_error_of_its_checks_and_a_failure_of_the_column_check(url: str) -> None:
    execute(url, "alter table raw_forecast_tracking.tags drop column usage_count")
    failed = {result.check_name: result for result in validate(url, SUITES["forecast_tracking.tags"]).results if not result.is_success}
    assert set(failed) == {"tags__columns_are_as_declared", "tags__usage_count_is_not_negative"}
    assert "usage_count" in str(failed["tags__usage_count_is_not_negative"].error)
    assert failed["tags__usage_count_is_not_negative"].failing_rows is None
    assert failed["tags__columns_are_as_declared"].failing_sample == (
        {"column_name": "usage_count", "declared_type": "integer", "found_type": None},
    )


def test_sample_is_small_and_can_be_written_as_json(url: str) -> None:
    execute(
        url,
        "insert into raw_forecast_tracking.predictions (prediction_id, run_id, model_id, prediction_date, unique_id, horizon, "
        "predicted_value, created_at, _batch_id, _synced_at) select number, 1, 1, '2025-02-01', 'a', 1, 'NaN', '2025-01-01', 1, now() "
        "from generate_series(100, 149) as number",
    )
    results = {result.check_name: result for result in validate(url, SUITES["forecast_tracking.predictions"]).results}
    finite = results["predictions__values_are_finite"]
    assert finite.failing_rows == 50
    assert len(finite.failing_sample) == SAMPLE_ROWS
    row = json.loads(json.dumps(finite.failing_sample[0], allow_nan=False))
    assert row["prediction_date"] == "2025-02-01T00:00:00"
    assert row["predicted_value"] == "NaN"


def test_empty_table_passes_what_is_about_rows(url: str) -> None:
    execute(url, "delete from raw_forecast_tracking.tags")
    failed = {result.check_name for result in validate(url, SUITES["forecast_tracking.tags"]).results if not result.is_success}
    assert failed == {"tags__row_count_equals_source"}


def test_unreachable_warehouse_is_an_error_of_the_connection() -> None:
    with pytest.raises(psycopg2.OperationalError):
        validate("postgresql://postgres@/warehouse?host=%2Fnowhere", SUITES["forecast_tracking.tags"])
