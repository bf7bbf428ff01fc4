"""A run that reconciles: it names exactly the rows that differ, repairs exactly those, and says so in the metadata of their table."""

import dagster as dg
import pytest

from dagster_project.components.source_system import WARNINGS, reconcile_config
from tests.integration.runs.conftest import SYSTEM, Shop

DIFFERENCES = [("2", "stale"), ("3", "lost"), ("99", "extra")]


@pytest.fixture
def damaged(shop: Shop) -> Shop:
    """A synced shop in whose raw tables somebody changed, deleted and inserted an order."""
    shop.materialize()
    shop.in_warehouse(
        """
        update raw_shop.orders set amount = 0 where order_id = 2;
        delete from raw_shop.orders where order_id = 3;
        insert into raw_shop.orders (order_id, customer_id, amount, _batch_id, _synced_at) values (99, 1, 1, 1, now())
        """
    )
    return shop


def repairs(shop: Shop, batch_id: int) -> list[tuple[str, str, str, bool]]:
    return shop.in_warehouse(
        f"select table_name, key ->> 'order_id', difference, is_repaired from ops.repairs where batch_id = {batch_id} order by key"
    )


def test_differing_rows_are_named_and_left_alone_unless_asked_to_repair(damaged: Shop) -> None:
    before = damaged.live_orders()
    found = damaged.metadata(damaged.materialize(reconcile_config(SYSTEM, is_repairing=False)))
    orders = found["orders"]
    assert sorted(repairs(damaged, orders["batch"])) == [("orders", key, difference, False) for key, difference in DIFFERENCES]
    counts = [orders[f"reconcile_rows_{name}"] for name in ("compared", "lost", "extra", "stale", "repaired")]
    assert counts == [20, 1, 1, 1, 0]
    assert [found["customers"][f"reconcile_rows_{name}"] for name in ("compared", "lost", "extra", "stale")] == [2, 0, 0, 0]
    assert damaged.live_orders() == before


def test_repair_touches_exactly_the_differing_rows(damaged: Shop) -> None:
    orders = damaged.metadata(damaged.materialize(reconcile_config(SYSTEM, is_repairing=True)))["orders"]
    assert sorted(repairs(damaged, orders["batch"])) == [("orders", key, difference, True) for key, difference in DIFFERENCES]
    assert damaged.live_orders() == damaged.at_source("select order_id, customer_id, amount from orders order by order_id")
    touched = damaged.in_warehouse(f"select order_id from raw_shop.orders where _batch_id = {orders['batch']} order by order_id")
    assert touched == [(2,), (3,), (99,)]
    assert damaged.in_warehouse(f"select count(*) from raw_shop.customers where _batch_id = {orders['batch']}") == [(0,)]
    assert orders["reconcile_rows_repaired"] == 3
    assert [orders[f"rows_{change}"] for change in ("inserted", "updated", "deleted")] == [1, 1, 1]


def test_after_a_repair_nothing_differs_and_nothing_is_warned_of(damaged: Shop) -> None:
    damaged.materialize(reconcile_config(SYSTEM, is_repairing=True))
    orders = damaged.metadata(damaged.materialize(reconcile_config(SYSTEM, is_repairing=False)))["orders"]
    assert [orders[f"reconcile_rows_{name}"] for name in ("lost", "extra", "stale")] == [0, 0, 0]
    assert WARNINGS not in orders


def test_warnings_name_table_counts_and_the_query_for_the_rows(damaged: Shop) -> None:
    result = damaged.materialize(reconcile_config(SYSTEM, is_repairing=True))
    found = damaged.metadata(result)
    lines = found["customers"][WARNINGS].splitlines()
    assert "raw_shop.orders" in lines[0]
    assert "1 rows lost, 1 extra, 1 stale" in lines[0]
    query = lines[1].partition(": ")[2]
    assert {row[3] for row in damaged.in_warehouse(query)} == {"orders"}
    assert len(damaged.in_warehouse(query)) == 3
    logged = [entry.user_message for entry in damaged.instance.all_logs(result.run_id) if entry.level == 30]
    assert [f"• {line}" for line in logged] == lines


def test_only_named_tables_are_compared(damaged: Shop) -> None:
    found = damaged.metadata(damaged.materialize(reconcile_config(SYSTEM, ["customers"], is_repairing=True)))
    assert found["customers"]["reconcile_rows_compared"] == 2
    assert "orders" not in found
    assert (99,) in damaged.in_warehouse("select order_id from raw_shop.orders where _deleted_at is null")


def test_sync_alone_compares_nothing(damaged: Shop) -> None:
    found = damaged.metadata(damaged.materialize())
    assert not [name for table in found.values() for name in table if name.startswith("reconcile_")]


def test_unknown_table_is_refused_before_anything_runs(shop: Shop) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="nosuch"):
        shop.materialize(reconcile_config(SYSTEM, ["nosuch"], is_repairing=True))
    assert shop.in_warehouse("select count(*) from ops.batches") == [(0,)]


def test_metadata_are_the_numbers_of_the_sync(shop: Shop) -> None:
    shop.materialize()
    shop.at_source("update orders set amount = amount + 1 where order_id <= 4; delete from orders where order_id = 20")
    ((xmax_before,),) = shop.at_source("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    orders = shop.metadata(shop.materialize())["orders"]
    ((xmax_after,),) = shop.at_source("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    assert [orders[name] for name in ("dagster/row_count", "rows_inserted", "rows_updated", "rows_deleted")] == [19, 0, 4, 1]
    assert orders["rows_read"] >= 4
    assert orders["bytes_read"] > 4 * 3 * 4
    assert 0 <= orders["lag_transactions"] <= xmax_after - xmax_before
    assert "horizon" in orders["found_by"]
    numbers = ("rows_read", "bytes_read", "rows_inserted", "rows_updated", "rows_deleted", "seconds", "lag_seconds", "lag_transactions")
    assert all(isinstance(orders[name], int | float) for name in numbers)
