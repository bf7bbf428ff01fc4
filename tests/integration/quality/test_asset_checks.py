"""Checks as Dagster runs them: what they say, what they stop, what they leave behind."""

import json
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.defs import quality
from dagster_project.defs.quality import expectation_checks
from dagster_project.quality import accounting, holding
from dagster_project.quality.suites import load_suites
from dagster_project.resources.warehouse import Warehouses
from dagster_project.warehouse import DEFAULT, Warehouse
from tests.integration.quality.conftest import database_of, execute, fetch

SUITE = load_suites()["forecast_tracking.tags"]


@dg.asset(key=["forecast_tracking", "tags"])
def tags() -> None:
    """Stands for the sync: the rows are there already."""


@dg.asset(deps=[tags])
def downstream() -> None:
    """Stands for what is built of tags."""


@pytest.fixture
def warehouse(clean_warehouse: str, copy_database: Callable[[str], str], tmp_path: Path) -> Warehouse:
    return Warehouse(copy_database(database_of(clean_warehouse)), tmp_path)


def _run(warehouse: Warehouse) -> dg.ExecuteInProcessResult:
    definitions = dg.Definitions(
        assets=[tags, downstream],
        asset_checks=[expectation_checks([SUITE], DEFAULT)],
        jobs=[dg.define_asset_job("everything", dg.AssetSelection.all())],
        resources={"warehouses": Warehouses((warehouse,))},
    )
    return definitions.resolve_job_def("everything").execute_in_process(raise_on_error=False)


def _evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def test_clean_table_passes_every_check_and_downstream_is_built(warehouse: Warehouse, tmp_path: Path) -> None:
    result = _run(warehouse)
    evaluations = _evaluations(result)
    assert result.success
    assert len(evaluations) == len(SUITE.expectations) + 2
    assert all(evaluation.passed for evaluation in evaluations.values())
    assert result.asset_materializations_for_node("downstream")
    recorded = fetch(warehouse.url, "select run_id, asset_key, expectation, is_success, batch_id from quality.validation_results")
    ((batch,),) = fetch(warehouse.url, "select batch_id from ops.sync_state where system = 'forecast_tracking'")
    assert sorted(recorded) == sorted(
        (result.run_id, "forecast_tracking/tags", name, True, batch) for name in evaluations.keys() - {accounting.CHECK, holding.CHECK}
    )
    assert (tmp_path / "data_docs" / "index.html").is_file()


def test_failed_critical_check_shows_its_rows_which_are_set_aside(warehouse: Warehouse) -> None:
    execute(warehouse.url, "update raw_forecast_tracking.tags set usage_count = -tag_id")
    result = _run(warehouse)
    failed = {name: evaluation for name, evaluation in _evaluations(result).items() if not evaluation.passed}
    assert result.success
    assert set(failed) == {"usage_count_is_not_negative"}
    assert result.asset_materializations_for_node("downstream")
    assert _evaluations(result)[accounting.CHECK].metadata[accounting.ROWS_IN_QUARANTINE].value == 2
    assert fetch(warehouse.url, "select checks from quality.quarantine") == [(["usage_count_is_not_negative"],)] * 2
    evaluation = failed["usage_count_is_not_negative"]
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    metadata = evaluation.metadata
    assert metadata["failing_rows"].value == 2
    assert metadata["evaluated_rows"].value == 2
    sample = metadata["failing_sample"]
    assert isinstance(sample, dg.TableMetadataValue)
    assert sorted(json.dumps(dict(record.data)) for record in sample.records) == [
        '{"tag_id": "1", "usage_count": "-1"}',
        '{"tag_id": "2", "usage_count": "-2"}',
    ]
    query = str(metadata["failing_query"].value).removeprefix("```sql\n").removesuffix("\n```")
    assert sorted(fetch(warehouse.url, query)) == [(1, -1), (2, -2)]
    page = Path(str(metadata["data_docs"].value))
    assert "usage_count_is_not_negative" in page.read_text(encoding="utf-8")
    recorded = fetch(
        warehouse.url,
        "select expectation, column_name, severity, evaluated_rows, failing_rows, jsonb_array_length(failing_sample) "
        "from quality.validation_results where not is_success",
    )
    assert recorded == [("usage_count_is_not_negative", "usage_count", "critical", 2, 2, 2)]


def test_table_of_which_too_much_is_wrong_is_not_fit_for_marts(warehouse: Warehouse) -> None:
    execute(warehouse.url, "update ops.table_syncs set source_rows = source_rows + 100 where table_name = 'tags'")
    result = _run(warehouse)
    failed = {name: evaluation for name, evaluation in _evaluations(result).items() if not evaluation.passed}
    assert result.success
    assert set(failed) == {"row_count_equals_source", holding.CHECK}
    assert failed[holding.CHECK].description == "marts that read the table stand as they were: it fails row_count_equals_source"
    assert "held_since" in failed[holding.CHECK].metadata


def test_row_that_is_marked_for_no_reason_stops_downstream(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it would if quarantine itself were wrong."""
    monkeypatch.setattr(quality, "bring_up_to_date", lambda *_: None)
    execute(warehouse.url, "update raw_forecast_tracking.tags set _quarantined_at = now() where tag_id = 1")
    result = _run(warehouse)
    assert [name for name, evaluation in _evaluations(result).items() if not evaluation.passed] == [accounting.CHECK]
    assert not result.success
    assert not result.asset_materializations_for_node("downstream")


def test_failed_warning_is_shown_and_stops_nothing(warehouse: Warehouse) -> None:
    execute(warehouse.url, "update raw_forecast_tracking.tags set updated_at = created_at - interval '1 day' where tag_id = 1")
    result = _run(warehouse)
    failed = {name: evaluation.severity for name, evaluation in _evaluations(result).items() if not evaluation.passed}
    assert failed == {"updated_at_is_not_before_created_at": dg.AssetCheckSeverity.WARN}
    assert result.success
    assert result.asset_materializations_for_node("downstream")
