"""A small shop as source system, whose raw tables are materialized by Dagster.

Belongs here: its contract, its databases, and running its sync. The oracle is the source itself, asked with SQL of the test's own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.components.source_system import raw_assets
from dagster_project.contracts.contract import SystemContract
from dagster_project.resources.warehouse import Sources, Warehouses
from dagster_project.warehouse import DEFAULT, Warehouse
from tests.databases import run

SYSTEM = "shop"

CONTRACT = SystemContract.model_validate(
    {
        "system": SYSTEM,
        "description": "A source made for tests.",
        "freshness": {"warn_after_hours": 1, "error_after_hours": 2},
        "tables": {
            "customers": {"description": "Customers.", "key": ["customer_id"], "columns": ["customer_id", "name"]},
            "orders": {"description": "Orders.", "key": ["order_id"], "columns": ["order_id", "customer_id", "amount"]},
        },
    }
)


@dataclass(frozen=True)
class Shop:
    """The shop's source and its warehouse.

    Attributes:
        source_url: libpq URL of the source.
        warehouse_url: libpq URL of the warehouse.
        home: Folder of its state.
        instance: Where runs are recorded.
    """

    source_url: str
    warehouse_url: str
    home: Path
    instance: dg.DagsterInstance

    def materialize(self, config: dict[str, Any] | None = None) -> dg.ExecuteInProcessResult:
        """One run of the system's assets."""
        resources = {
            "warehouses": Warehouses((Warehouse(self.warehouse_url, self.home),)),
            "sources": Sources(fixed_urls={SYSTEM: self.source_url}),
        }
        return dg.materialize([raw_assets(CONTRACT, DEFAULT)], instance=self.instance, resources=resources, run_config=config)

    def metadata(self, result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
        """What the materializations of a run say, by table."""
        events = result.get_asset_materialization_events()
        materializations = [event.step_materialization_data.materialization for event in events]
        return {one.asset_key.path[-1]: {name: value.value for name, value in one.metadata.items()} for one in materializations}

    def at_source(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement at the source, committed."""
        return run(self.source_url, statement)

    def in_warehouse(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in the warehouse, committed."""
        return run(self.warehouse_url, statement)

    def live_orders(self) -> list[tuple[Any, ...]]:
        """The orders of raw that are not deleted."""
        return self.in_warehouse("select order_id, customer_id, amount from raw_shop.orders where _deleted_at is null order by order_id")


@pytest.fixture
def shop(new_database: Callable[[str], str], tmp_path: Path) -> Iterator[Shop]:
    """A shop with two customers and twenty orders that has not been synced yet."""
    with dg.instance_for_test() as instance:
        shop = Shop(new_database("empty"), new_database("warehouse"), tmp_path, instance)
        shop.at_source(
            """
            create table customers (customer_id bigint primary key, name text);
            create table orders (order_id bigint primary key, customer_id bigint, amount numeric);
            insert into customers values (1, 'one'), (2, 'two');
            insert into orders select n, 1 + n % 2, n * 1.5 from generate_series(1, 20) as n
            """
        )
        yield shop
