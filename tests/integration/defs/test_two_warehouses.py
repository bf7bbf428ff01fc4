"""Two warehouses in one process: each is synced, refreshed and checked as if the other were not there."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.contracts.loading import load_contracts
from dagster_project.definitions import definitions_of
from dagster_project.resources.warehouse import Sources, Warehouses
from dagster_project.settings import ConfigurationError
from dagster_project.warehouse import DEFAULT, Namespace, Warehouse
from tests.databases import run

SYSTEM = "forecast_tracking"
ROWS = (Path(__file__).parents[1] / "quality" / "raw" / "forecast_tracking.sql").read_text(encoding="utf-8")
PUBLISHED = "select experiment_name from analytics.mv_experiment_summary where experiment_id = 1"
RUNS = "select distinct run_id from quality.validation_results"
REFRESHES = "select count(*) from ops.refreshes"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def definitions_on(sources: Mapping[str, str], *warehouses: Warehouse) -> dg.Definitions:
    """All definitions of these warehouses, and what their runs find them and the sources by."""
    made = definitions_of(*(warehouse.namespace for warehouse in warehouses))
    return dg.Definitions(
        assets=made.assets,
        asset_checks=made.asset_checks,
        jobs=made.jobs,
        executor=made.executor,
        resources={**(made.resources or {}), "warehouses": Warehouses(warehouses), "sources": Sources(fixed_urls=sources)},
    )


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def variables() -> dict[str, str]:
    """What a process started now would be told of a warehouse."""
    return {name: value for name, value in os.environ.items() if name.startswith(("RUNMART_", "DBT_"))}


def test_two_warehouses_share_no_state(new_database: Callable[[str], str], tmp_path: Path, instance: dg.DagsterInstance) -> None:
    sources = {system: new_database(system) for system in load_contracts()}
    source = sources[SYSTEM]
    run(source, ROWS)
    one = Warehouse(new_database("warehouse"), tmp_path / "one")
    other = Warehouse(new_database("warehouse"), tmp_path / "other", Namespace("acme"))
    definitions = definitions_on(sources, one, other)
    before_runs = variables()

    def refreshed(warehouse: Warehouse) -> str:
        job = definitions.resolve_job_def(warehouse.namespace.label("sync_and_refresh"))
        result = job.execute_in_process(instance=instance)
        assert result.success
        return str(result.run_id)

    first = refreshed(one)
    assert run(one.url, PUBLISHED) == [("monthly demand",)]
    # The other one has nothing yet, neither in its database nor in its home.
    assert run(other.url, REFRESHES) == [(0,)]
    assert run(other.url, RUNS) == []
    assert not other.home.exists()

    run(source, "update experiments set experiment_name = 'renamed' where experiment_id = 1")
    before = files(one.home)
    second = refreshed(other)
    assert run(other.url, PUBLISHED) == [("renamed",)]
    # And nothing of the first one has moved: its rows, its verdicts, its files.
    assert run(one.url, PUBLISHED) == [("monthly demand",)]
    assert run(one.url, REFRESHES) == [(1,)]
    assert run(one.url, RUNS) == [(first,)]
    assert run(other.url, RUNS) == [(second,)]
    assert files(one.home) == before
    for warehouse, run_id in ((one, first), (other, second)):
        pages = [path.read_text(encoding="utf-8") for path in warehouse.data_docs.glob("*/*/*.html")]
        assert pages
        assert all(run_id in page for page in pages)
        assert (warehouse.dbt_target / "run_results.json").is_file()
    assert variables() == before_runs


def test_warehouse_that_there_is_not_is_named(tmp_path: Path) -> None:
    known = Warehouses((Warehouse("postgresql://nobody@nowhere/nothing", tmp_path),))
    assert known.of(DEFAULT).home == tmp_path
    with pytest.raises(ConfigurationError, match="there is no warehouse 'acme'"):
        known.of(Namespace("acme"))
