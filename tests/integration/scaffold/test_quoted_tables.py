"""Tables that the source calls otherwise than Runmart does are copied whole, in both capture modes.

The oracle is the source itself, asked under its own names.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import slot
from dagster_project.ingestion.reconcile import Reconcile
from dagster_project.ingestion.sync import SyncResult, sync
from dagster_project.scaffold.catalog import read_catalog, reading
from dagster_project.scaffold.drafting import draft
from tests.databases import run, wait_for_earlier_transactions

SOURCE = """
create schema "Sales";
create table "User" (id bigint primary key, "shownAs" text);
create table "OrderItem" ("A" bigint references "User", "B" integer, note text, primary key ("A", "B"));
create table "Sales"."OrderItem" ("Id" uuid primary key default gen_random_uuid(), n integer) partition by hash ("Id");
create table "Sales"."OrderItem.0" partition of "Sales"."OrderItem" for values with (modulus 2, remainder 0);
create table "Sales"."OrderItem.1" partition of "Sales"."OrderItem" for values with (modulus 2, remainder 1);
insert into "User" select n, 'user ' || n from generate_series(1, 9) as n;
insert into "OrderItem" select n, n % 3, 'note' from generate_series(1, 9) as n;
insert into "Sales"."OrderItem" (n) select generate_series(1, 9);
"""
CHANGES = """
update "User" set "shownAs" = 'someone else' where id = 2;
delete from "OrderItem" where "A" = 3;
insert into "OrderItem" values (5, 7, 'new'), (6, 8, 'new');
delete from "Sales"."OrderItem" where n = 4;
insert into "Sales"."OrderItem" (n) values (11);
"""
FOUND_BY = {"horizon": "horizon", "cdc": "change data capture"}
RELATIONS = {"user": '"User"', "order_item": '"OrderItem"', "sales_order_item": '"Sales"."OrderItem"'}


@dataclass(frozen=True)
class Pair:
    """A source with quoted names, the contract drafted from it, and a warehouse."""

    source_url: str
    warehouse_url: str
    contract: SystemContract

    def sync(self) -> SyncResult:
        """A sync and a comparison of every row that must find nothing."""
        result = sync(self.contract, self.source_url, self.warehouse_url, reconciling=Reconcile())
        assert {(each.table, each.lost, each.extra, each.stale) for each in result.reconciliations} == {
            (table, 0, 0, 0) for table in RELATIONS
        }
        return result

    def rows(self, table: str) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        """Live rows of raw, and rows of the source."""
        columns = ", ".join(f'"{column}"' for column in self.contract.tables[table].columns)
        raw = run(self.warehouse_url, f"select {columns} from raw_store.{table} where _deleted_at is null order by 1, 2")
        return raw, run(self.source_url, f"select {columns} from {RELATIONS[table]} order by 1, 2")


@pytest.fixture(params=["horizon", "cdc"])
def pair(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> Iterator[Pair]:
    """A source whose tables all have names that must be quoted."""
    source_url, schemas = new_database("empty"), ["public", "Sales"]
    run(source_url, SOURCE)
    with reading(source_url) as cursor:
        contract = draft("store", read_catalog(cursor, schemas), schemas).contract
    pair = Pair(source_url, new_database("warehouse"), contract.model_copy(update={"capture": request.param}))
    if request.param == "cdc":
        slot.enable(pair.contract, source_url)
    yield pair
    # A database with a slot cannot be dropped.
    slot.disable(pair.contract, source_url)


def test_changes_of_quoted_tables_arrive(pair: Pair) -> None:
    pair.sync()
    wait_for_earlier_transactions(pair.source_url)
    run(pair.source_url, CHANGES)
    tables = pair.sync().tables
    assert {table.found_by.partition(",")[0] for table in tables} == {FOUND_BY[pair.contract.capture]}
    changed = {table.table: (table.rows_inserted, table.rows_updated, table.rows_deleted) for table in tables}
    assert changed == {"user": (0, 1, 0), "order_item": (2, 0, 1), "sales_order_item": (1, 0, 1)}
    for table in RELATIONS:
        raw, source = pair.rows(table)
        assert raw == source


def test_another_source_name_means_other_rows(pair: Pair) -> None:
    """The same entry of the contract now reads a table that was not written to since the last sync."""
    run(
        pair.source_url,
        """create table "Person" (id bigint primary key, "shownAs" text); insert into "Person" values (2, 'P'), (77, 'Q')""",
    )
    pair.sync()
    tables = {**pair.contract.tables, "user": pair.contract.tables["user"].model_copy(update={"source_name": "Person"})}
    moved = Pair(pair.source_url, pair.warehouse_url, pair.contract.model_copy(update={"tables": tables}))
    moved.sync()
    assert moved.rows("user")[0] == [(2, "P"), (77, "Q")]
