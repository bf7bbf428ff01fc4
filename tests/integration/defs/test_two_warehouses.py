"""Two warehouses in one process: each is synced, refreshed and checked as if the other were not there."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest

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
    source = new_database(SYSTEM)
    run(source, ROWS)
    one = Warehouse(new_database("warehouse"), tmp_path / "one")
    other = Warehouse(new_database("warehouse"), tmp_path / "other", Namespace("acme"))
    definitions = definitions_on({SYSTEM: source}, one, other)
    before_runs = variables()

    def refreshed(warehouse: Warehouse) -> set[str]:
        # Of one system: what reads others is left out, because they were never synced.
        jobs = [definitions.resolve_job_def(warehouse.namespace.label(name)) for name in (f"sync_{SYSTEM}", "refresh")]
        results = [job.execute_in_process(instance=instance) for job in jobs]
        assert all(result.success for result in results)
        return {result.run_id for result in results}

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
    assert {run_id for (run_id,) in run(one.url, RUNS)} == first
    assert {run_id for (run_id,) in run(other.url, RUNS)} == second
    assert files(one.home) == before
    for warehouse, run_ids in ((one, first), (other, second)):
        pages = [path.read_text(encoding="utf-8") for path in warehouse.data_docs.glob("*/*/*.html")]
        assert pages
        assert all(any(run_id in page for run_id in run_ids) for page in pages)
        assert (warehouse.dbt_target / "run_results.json").is_file()
    assert variables() == before_runs


def test_warehouse_that_there_is_not_is_named(tmp_path: Path) -> None:
    known = Warehouses((Warehouse("postgresql://nobody@nowhere/nothing", tmp_path),))
    assert known.of(DEFAULT).home == tmp_path
    with pytest.raises(ConfigurationError, match="there is no warehouse 'acme'"):
        known.of(Namespace("acme"))
