"""A table that cannot be synced, in Dagster: nothing is said of it, its check fails the run with a line, and what is downstream goes on."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg

from dagster_project.commands.runs import RunReport, _note
from dagster_project.components.source_system import raw_assets
from dagster_project.components.standing_checks import CHECK, standing_checks
from dagster_project.contracts.loading import load_contracts
from dagster_project.resources.warehouse import Sources, Warehouses
from dagster_project.warehouse import DEFAULT, Warehouse
from tests.databases import run

SYSTEM = "forecast_tracking"
CONTRACT = load_contracts()[SYSTEM]
TAGS = dg.AssetKey([SYSTEM, "tags"])
USERS = dg.AssetKey([SYSTEM, "users"])


@dg.asset(deps=[TAGS, USERS])
def downstream() -> None:
    """Stands for what is built on raw tables."""


def materialize(source: str, warehouse: str, home: Path, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    resources = {"warehouses": Warehouses((Warehouse(warehouse, home),)), "sources": Sources(fixed_urls={SYSTEM: source})}
    assets = [raw_assets(CONTRACT, DEFAULT), standing_checks(CONTRACT, DEFAULT), downstream]
    return dg.materialize(assets, instance=instance, resources=resources, raise_on_error=False)


def last_materialization(instance: dg.DagsterInstance, asset: dg.AssetKey) -> float | None:
    event = instance.get_latest_materialization_event(asset)
    return event.timestamp if event else None


def test_run_fails_with_a_line_and_everything_else_goes_on(new_database: Callable[[str], str], tmp_path: Path) -> None:
    source, warehouse = new_database(SYSTEM), new_database("warehouse")
    with dg.instance_for_test() as instance:
        assert materialize(source, warehouse, tmp_path, instance).success
        tags, users = (last_materialization(instance, asset) for asset in (TAGS, USERS))

        run(source, "alter table tags rename column tag_name to label; insert into users (username, email) values ('u', 'u@example.org')")
        failed = materialize(source, warehouse, tmp_path, instance)

        assert not failed.success
        assert last_materialization(instance, TAGS) == tags
        assert last_materialization(instance, USERS) != users
        built = instance.get_latest_materialization_event(downstream.key)
        assert built is not None
        assert built.run_id == failed.run_id
        report = RunReport("sync", failed.run_id)
        for event in failed.all_events:
            _note(report, event)
        assert [check.asset_key for check in report.failed_checks if check.check_name == CHECK] == [TAGS]
        (line,) = report.errors
        ((since,),) = run(warehouse, "select to_char(stands_since at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') from ops.standing_tables")
        assert line.startswith(f"{SYSTEM}.tags stands still since {since} UTC: the source {SYSTEM} has no column tags.tag_name")

        run(source, "alter table tags rename column label to tag_name")
        mended = materialize(source, warehouse, tmp_path, instance)
        assert mended.success
        # That the table moves on is told; its rows are as they were.
        (told,) = mended.get_asset_check_evaluations()
        assert (told.asset_key, told.check_name, told.passed) == (TAGS, CHECK, True)
        assert last_materialization(instance, TAGS) == tags
