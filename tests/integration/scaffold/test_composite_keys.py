"""Foreign keys of several columns: drafted, synced in both capture modes, and checked pair by pair.

A pair is an orphan if no row of the parent has both values, even if each value is there in some row. A row with a null in any of the
columns refers to nothing: so the source's own constraint has it, which is the oracle here.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import psycopg2
import pytest
import yaml

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import slot
from dagster_project.ingestion.sync import sync
from dagster_project.quality.suites import Suite
from dagster_project.quality.validation import Project, validate
from dagster_project.scaffold.catalog import read_catalog, reading
from dagster_project.scaffold.contract_file import contract_text
from dagster_project.scaffold.drafting import draft
from dagster_project.scaffold.raw_types import raw_types
from dagster_project.scaffold.suite_files import suites
from dagster_project.settings import PROJECT_ROOT
from tests.databases import run, wait_for_earlier_transactions

_CASE = (PROJECT_ROOT / "tests" / "cases" / "awkward.sql").read_text(encoding="utf-8").splitlines()
ORDERS = "\n".join(line for line in _CASE if '"Order"' in line)
# A column of two foreign keys, and a foreign key with nulls.
NOTES = """
create table head (id integer primary key);
create table order_note (
    id integer primary key, "OrderId" integer references head, "OrderGroup" integer,
    foreign key ("OrderId", "OrderGroup") references "Order" ("Id", "group")
);
insert into head values (1), (2);
insert into "Order" values (2, 9, 'c');
insert into order_note values (1, 1, 1), (2, 1, 2), (3, 2, 9), (4, null, 1), (5, 1, null), (6, null, null), (7, null, 77);
"""
CHECK = "order_id_order_group_has_parent"


@dataclass(frozen=True)
class Shop:
    """A source with orders, and what was drafted from it."""

    source_url: str
    warehouse_url: str
    contract: SystemContract
    suites: dict[str, Suite]
    text: str

    def sync(self) -> None:
        """One sync."""
        sync(self.contract, self.source_url, self.warehouse_url)

    def orphans(self, table: str) -> list[dict[str, object]]:
        """Rows that break the check of the pair, as its validation shows them; no other check of the table fails."""
        results = validate(self.warehouse_url, self.suites[table], Project({"shop": self.contract}), everything=True).results
        (pair,) = [result for result in results if result.check_name == CHECK]
        assert [result.check_name for result in results if not result.is_success and result != pair] == []
        assert (pair.error, pair.is_success) == (None, not pair.failing_sample)
        return list(pair.failing_sample)


@pytest.fixture(params=["horizon", "cdc"])
def shop(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> Iterator[Shop]:
    """The orders, synced once."""
    source_url = new_database("empty")
    run(source_url, ORDERS)
    run(source_url, NOTES)
    warehouse_url = new_database("warehouse")
    with reading(source_url) as cursor, closing(psycopg2.connect(warehouse_url)) as warehouse, warehouse.cursor() as asking:
        drafted = draft("shop", read_catalog(cursor, ["public"]), ["public"])
        types = raw_types(cursor, asking, drafted)
    found = {suite.table: suite for suite in suites(drafted, types)}
    contract = drafted.contract.model_copy(update={"capture": request.param})
    shop = Shop(source_url, warehouse_url, contract, found, contract_text(drafted, types))
    if request.param == "cdc":
        slot.enable(contract, source_url)
    shop.sync()
    yield shop
    # A database with a slot cannot be dropped.
    slot.disable(contract, source_url)


def test_draft_says_both_columns_together(shop: Shop) -> None:
    pair = (("OrderId", "OrderGroup"), "order", ("Id", "group"))
    references = {
        name: [(each.columns, each.parent, each.parent_columns) for each in table.references]
        for name, table in shop.contract.tables.items()
    }
    assert references == {"head": [], "order": [], "order_line": [pair], "order_note": [(("OrderId",), "head", ("id",)), pair]}
    lines = shop.text.splitlines()
    at = lines.index("      composite_foreign_keys:")
    assert [line.strip() for line in lines[at + 1 : at + 4]] == [
        "- columns: [OrderId, OrderGroup]",
        "parent: order",
        "parent_columns: [Id, group]",
    ]
    written = yaml.safe_load(shop.text)["attributes"]
    assert SystemContract.model_validate(written | {"capture": shop.contract.capture}) == shop.contract


def test_pair_without_a_parent_is_an_orphan_and_nulls_refer_to_nothing(shop: Shop) -> None:
    assert (shop.orphans("order_line"), shop.orphans("order_note")) == ([], [])
    # Orders 1 and 2 are there, and so are groups 1, 2 and 9: the source itself refuses the pair.
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        run(shop.source_url, "insert into order_line values (2, 2, 1)")
    run(shop.warehouse_url, 'update raw_shop.order_line set "OrderId" = 2 where "OrderGroup" = 2')
    run(shop.warehouse_url, 'update raw_shop.order_note set "OrderGroup" = 2 where id = 3')
    assert shop.orphans("order_line") == [{"OrderId": 2, "OrderGroup": 2, "line": 1}]
    assert shop.orphans("order_note") == [{"id": 3, "OrderId": 2, "OrderGroup": 2}]


def test_deleted_parent_leaves_orphans(shop: Shop) -> None:
    run(shop.warehouse_url, """update raw_shop."order" set _deleted_at = now() where "Id" = 1 and "group" = 2""")
    assert shop.orphans("order_line") == [{"OrderId": 1, "OrderGroup": 2, "line": 1}]


def test_row_keeps_the_pair_that_it_left_and_pairs_are_indexed(shop: Shop) -> None:
    wait_for_earlier_transactions(shop.source_url)
    run(shop.source_url, 'update order_note set "OrderGroup" = 2 where id = 1; update order_note set "OrderId" = 2 where id = 5')
    shop.sync()
    moved = "select id, _moved_from from raw_shop.order_note where _moved_from is not null order by id"
    assert run(shop.warehouse_url, moved) == [(1, [{"OrderId": 1, "OrderGroup": 1}]), (5, [{"OrderId": 1, "OrderGroup": None}])]
    indexes = run(
        shop.warehouse_url,
        "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index where indrelid = 'raw_shop.order_note'::regclass",
    )
    columns = {definition.partition(" btree ")[2].partition(" WHERE ")[0] for _, definition in indexes}
    assert {'("OrderId")', '("OrderId", "OrderGroup")', '(_batch_id, "OrderId")', '(_batch_id, "OrderId", "OrderGroup")'} <= columns
    of_lines = "select pg_get_indexdef(indexrelid) from pg_index where indrelid = 'raw_shop.order_line'::regclass and indpred is null"
    # Its key begins with the pair, and finds it.
    assert len(run(shop.warehouse_url, of_lines)) == 1
