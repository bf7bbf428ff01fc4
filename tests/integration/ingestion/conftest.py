"""A small source of our own with the awkward types, its contract, and the comparison that every test ends with.

Belongs here: what ingestion tests share. The oracle is the source itself: raw's live rows are compared with it as text, row for row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import slot
from dagster_project.ingestion.events import SyncEvent
from dagster_project.ingestion.reconcile import Reconcile
from dagster_project.ingestion.sync import SyncResult, sync
from tests.databases import run

SOURCE = """
create type mood as enum ('calm', 'wild');
create domain positive as integer check (value > 0);
create table parent (parent_id bigint primary key, name varchar(40) not null, mood mood, secret text);
create table child (
    child_id bigint, at timestamp not null, parent_id bigint references parent, size positive, value double precision,
    amount numeric(12, 3), open_amount numeric, document json, labels text[], moods mood[], picture bytea, ident uuid, "Quoted name" text,
    primary key (child_id, at)
) partition by range (at);
create table child_old partition of child for values from (minvalue) to ('2025-01-01');
create table child_new partition of child for values from ('2025-01-01') to (maxvalue);
"""

CONTRACT = SystemContract.model_validate(
    {
        "system": "small",
        "description": "A source made for tests.",
        "freshness": {"warn_after_hours": 1, "error_after_hours": 2},
        "tables": {
            "parent": {"description": "Parents.", "key": ["parent_id"], "columns": ["parent_id", "name", "mood"]},
            "child": {
                "description": "Children.",
                "key": ["child_id", "at"],
                "columns": [
                    *("child_id", "at", "parent_id", "size", "value", "amount", "open_amount", "document", "labels", "moods"),
                    *("picture", "ident", "Quoted name"),
                ],
                "foreign_keys": {"parent_id": "parent.parent_id"},
            },
        },
    }
)


@dataclass(frozen=True)
class Pair:
    """A source and a warehouse."""

    source_url: str
    warehouse_url: str
    capture: Literal["horizon", "cdc"] = "horizon"

    def sync(
        self,
        contract: SystemContract = CONTRACT,
        on_event: Callable[[SyncEvent], None] = lambda _: None,
        reconciling: Reconcile | None = None,
    ) -> SyncResult:
        """One sync of the small system, in the pair's capture mode."""
        contract = contract.model_copy(update={"capture": self.capture})
        return sync(contract, self.source_url, self.warehouse_url, on_event=on_event, reconciling=reconciling)

    def at_source(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement at the source, committed."""
        return run(self.source_url, statement, *parameters)

    def in_warehouse(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement in the warehouse, committed."""
        return run(self.warehouse_url, statement, *parameters)

    def assert_equal(self, contract: SystemContract = CONTRACT) -> None:
        """Raw's live rows equal the source's, value for value."""
        for table in contract.bound_tables():
            columns = ", ".join(f'"{column}"::text' for column in table.columns)
            order = ", ".join(f'"{column}"' for column in table.key)
            source = self.at_source(f'select {columns} from {table.source_schema}."{table.name}" order by {order}')
            raw = self.in_warehouse(
                f'select {columns} from {contract.raw_schema}."{table.name}" where _deleted_at is null order by {order}'
            )
            assert raw == source, table.name


def failures(result: SyncResult) -> dict[str, str]:
    """What tables failed for in a sync that went on without them."""
    return {one.table: one.reason for one in result.standing if one.reason is not None}


@pytest.fixture(params=["horizon", "cdc"])
def pair(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> Iterator[Pair]:
    """A filled source and an empty warehouse, once for each capture mode; the second sync is the first that reads from the slot."""
    pair = Pair(new_database("empty"), new_database("warehouse"), request.param)
    pair.at_source(SOURCE)
    pair.at_source("insert into parent select n, 'parent ' || n, 'calm', 'hidden' from generate_series(1, 5) as n")
    pair.at_source(
        """
        insert into child
        select n, timestamp '2024-12-30' + n * interval '1 day', 1 + n %% 5, n, n / 3.0, n / 7.0, n / 9.0, '{"n": 1}', array['a', null],
               array['calm', 'wild']::mood[], '\\x00ff', gen_random_uuid(), 'quoted'
        from generate_series(1, %s) as n
        """,
        5,
    )
    if pair.capture == "cdc":
        slot.enable(CONTRACT.model_copy(update={"capture": "cdc"}), pair.source_url)
    yield pair
    # A database with a slot cannot be dropped.
    pair.in_warehouse("select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active")
