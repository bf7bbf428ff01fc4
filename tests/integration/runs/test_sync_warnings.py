"""Who hears of what a sync warns of: once, and again only when it is new."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg

from dagster_project.components.source_system import raw_assets, reconcile_config
from dagster_project.contracts.loading import load_contracts
from dagster_project.defs.automation import sync_warnings
from dagster_project.resources.alerts import Alerts
from dagster_project.resources.warehouse import Sources, Warehouses
from dagster_project.warehouse import DEFAULT, Warehouse
from tests.alerts import receiver
from tests.databases import run

SYSTEM = "forecast_tracking"


def test_people_are_told_once_of_each_warning(new_database: Callable[[str], str], tmp_path: Path) -> None:
    source, warehouse = new_database(SYSTEM), new_database("warehouse")
    resources = {"warehouses": Warehouses((Warehouse(warehouse, tmp_path),)), "sources": Sources(fixed_urls={SYSTEM: source})}
    cursor: str | None = None
    with dg.instance_for_test() as instance, receiver() as (url, messages):
        sensor = sync_warnings(DEFAULT)

        def sync(*tables: str) -> str:
            config = reconcile_config(SYSTEM, tables, is_repairing=True) if tables else None
            return dg.materialize(
                [raw_assets(load_contracts()[SYSTEM], DEFAULT)], instance=instance, resources=resources, run_config=config
            ).run_id

        def look() -> list[dict[str, str]]:
            nonlocal cursor
            before = len(messages)
            context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"alerts": Alerts(fixed_urls=[url])})
            sensor(context)
            cursor = context.cursor
            return messages[before:]

        assert look() == []
        sync()
        assert look() == []

        run(source, "alter table tags add column colour text")
        sync()
        sync()
        (message,) = look()
        assert message["title"] == f"Runmart: sync of {SYSTEM}: 1 warning"
        assert "tags: new columns at the source are not declared and were not read: colour" in message["message"]
        assert look() == []

        run(source, "insert into tags (tag_name) values ('a'), ('b')")
        sync()
        run(warehouse, f"update raw_{SYSTEM}.tags set tag_name = 'c' where tag_name = 'a'")
        run_id = sync("tags")
        sync()
        (message,) = look()
        assert f"raw_{SYSTEM}.tags differed from its source: 0 rows lost, 0 extra, 1 stale; repaired" in message["message"]
        assert "select * from ops.repairs where batch_id = 5" in message["message"]
        assert f"Run: {run_id}" in message["message"]
        assert look() == []
