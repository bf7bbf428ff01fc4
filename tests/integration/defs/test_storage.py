"""Checks of files as Dagster runs them: between the sync and the models, for one tenant, whatever becomes of the storage."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.components.known import partitions_of
from dagster_project.components.source_system import raw_assets
from dagster_project.contracts.loading import load_contracts
from dagster_project.defs import storage as checks
from dagster_project.defs.storage import file_checks, reading_everything
from dagster_project.demo.llm_tenant import fill_tenant
from dagster_project.internals.dagster import PARTITION_TAG, create_run, execute_run
from dagster_project.quality.storage import Storage
from dagster_project.quality.stored_files import CHECK, Found, check_files
from dagster_project.resources.file_storage import FileStorage
from dagster_project.resources.warehouse import Sources, Warehouses
from dagster_project.warehouse import Warehouse, of_tenants
from tests.databases import run
from tests.storages import SECRET, serving_s3, watch

SYSTEM = "llm_workflow"
CONTRACT = load_contracts()[SYSTEM]
NAMESPACE = of_tenants(SYSTEM)
RAW = dg.AssetKey(NAMESPACE.path(SYSTEM, "artifacts"))
FILES = dg.AssetCheckKey(RAW, CHECK)


@dg.asset(deps=[RAW], partitions_def=partitions_of(NAMESPACE))
def downstream() -> None:
    """Stands for what is built of raw."""


class Ran:
    """What one run has told."""

    def __init__(self, events: Sequence[dg.DagsterEvent]) -> None:
        self._events = events
        self.success = events[-1].is_job_success
        self.retries = len(self.of(dg.DagsterEventType.STEP_UP_FOR_RETRY))
        self.steps = [event.step_key for event in self.of(dg.DagsterEventType.STEP_SUCCESS)]
        self.told = [event.asset_check_evaluation_data for event in self.of(dg.DagsterEventType.ASSET_CHECK_EVALUATION)]

    def of(self, kind: dg.DagsterEventType) -> list[dg.DagsterEvent]:
        """Its events of a kind."""
        return [event for event in self._events if event.event_type is kind]


class House:
    """A tenant's filled database and storage, its warehouse, and the job that syncs, checks and builds."""

    def __init__(self, source: str, warehouse: Warehouse, folder: Path, instance: dg.DagsterInstance) -> None:
        self.source, self.warehouse, self.folder, self.instance = source, warehouse, folder, instance
        self.storage = FileStorage(Storage.at(folder.as_uri()))
        self.files = fill_tenant(source, "acme", folder, lambda _: None, runs=4).files

    def run(self, config: dict[str, object] | None = None, selection: dg.AssetSelection | None = None) -> Ran:
        """One run for the tenant."""
        definitions = dg.Definitions(
            assets=[raw_assets(CONTRACT, NAMESPACE), downstream],
            asset_checks=[file_checks(CONTRACT, NAMESPACE)],
            jobs=[dg.define_asset_job("everything", selection or dg.AssetSelection.all())],
            resources={
                "warehouses": Warehouses((self.warehouse,)),
                "sources": Sources(fixed_urls={f"{SYSTEM}/acme": self.source}),
                "file_storage": self.storage,
            },
            executor=dg.in_process_executor,
        )
        job = definitions.resolve_job_def("everything")
        # As schedules and commands do: Dagster looks for the partitions of a job among its assets, and a job of checks has none.
        recorded = create_run(self.instance, job, "test", {"ops": config} if config else {}, {PARTITION_TAG: "acme"})
        return Ran(list(execute_run(self.instance, job, recorded)))

    def mishap(self) -> None:
        """One file goes."""
        (path,) = run(self.source, "select file_path from artifacts order by id limit 1")[0]
        (self.folder / path.partition("/")[2]).unlink()


@pytest.fixture
def house(new_database: Callable[[str], str], tmp_path: Path) -> Iterator[House]:
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions(SYSTEM, ["acme"])
        warehouse = Warehouse(new_database("warehouse"), tmp_path, NAMESPACE, tenant="acme")
        yield House(new_database(SYSTEM), warehouse, tmp_path / "files", instance)


def test_files_that_are_as_recorded_pass_and_are_told_once(house: House) -> None:
    first = house.run()
    assert first.success
    (evaluation,) = first.told
    assert (evaluation.asset_key, evaluation.passed, evaluation.partition) == (RAW, True, "acme")
    assert {name: value.value for name, value in evaluation.metadata.items()} == {"failing_rows": 0, "evaluated_rows": house.files}
    assert house.run().told == []


def test_what_fails_is_a_warning_with_its_rows_and_what_is_downstream_is_built(house: House) -> None:
    house.mishap()
    result = house.run()
    assert result.success
    assert "downstream" in result.steps
    (evaluation,) = result.told
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert evaluation.description == "files that are not as their rows say: missing 1"
    assert evaluation.metadata["failing_rows"].value == 1
    sample = evaluation.metadata["failing_sample"]
    assert isinstance(sample, dg.TableMetadataValue)
    ((identity, path),) = run(house.source, "select id::text, file_path from artifacts order by id limit 1")
    assert [dict(record.data) for record in sample.records] == [{"id": identity, "file_path": path, "problem": "missing"}]


def test_files_are_checked_after_the_sync_and_before_what_is_downstream(house: House) -> None:
    steps = house.run().steps
    names = [NAMESPACE.label(CONTRACT.raw_schema), NAMESPACE.label(f"{SYSTEM}_files"), "downstream"]
    assert steps == names


def test_everything_is_read_where_that_is_asked(house: House) -> None:
    house.run()
    house.mishap()
    alone = dg.AssetSelection.checks(FILES)
    assert house.run(selection=alone).told[0].passed
    assert house.storage.given is not None
    watched = watch(house.storage.given)
    (evaluation,) = house.run({**reading_everything(NAMESPACE)}, alone).told
    assert not evaluation.passed
    assert len(watched.opened) == house.files - 1


def test_storage_that_is_gone_is_tried_again_and_then_told_and_marts_do_not_wait_for_it(house: House, tmp_path: Path) -> None:
    house.run()
    run(house.source, "update artifacts set step = 'another'")
    house.folder.rename(tmp_path / "away")
    result = house.run()
    assert (result.retries, result.success) == (3, True)
    assert "downstream" in result.steps
    (evaluation,) = result.told
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert str(evaluation.description).startswith(f"there is no folder {house.folder}")
    assert "failing_rows" not in evaluation.metadata
    assert run(house.warehouse.url, "select count(*), count(problem) from quality.stored_files") == [(house.files, 0)]


def test_storage_that_comes_back_in_time_is_read(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house.folder.rename(tmp_path / "away")
    look, looks = check_files, iter([False, True])

    def bring_back(*arguments: Any, **options: Any) -> Found:  # noqa: ANN401
        if next(looks):
            (tmp_path / "away").rename(house.folder)
        return look(*arguments, **options)

    monkeypatch.setattr(checks, "check_files", bring_back)
    (evaluation,) = house.run().told
    assert evaluation.passed


def test_no_secret_of_the_storage_is_told_logged_or_kept(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with serving_s3() as served, caplog.at_level(logging.DEBUG):
        # One that answers for a while, and then no more.
        house.storage = FileStorage(Storage.at(served.shelf().url))
        assert house.run().told[0].metadata["failing_rows"].value == house.files
        served.stop()
        result = house.run({**reading_everything(NAMESPACE)})
    assert str(result.told[0].description) == "the storage cannot be read: EndpointConnectionError"
    logged = [caplog.text, *(str(entry) for one in house.instance.get_runs() for entry in house.instance.all_logs(one.run_id))]
    kept = run(house.warehouse.url, "select t::text from quality.validation_results as t")
    kept += run(house.warehouse.url, "select t::text from quality.failing_rows as t")
    assert len(kept) > house.files
    assert [text for text in (*logged, str(kept), repr(house.storage)) if SECRET in text] == []
