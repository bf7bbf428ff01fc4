"""Ways of copying: the two that lose nothing, and the naive ones that everybody begins with and that must fail here.

Belongs here: the naive ones, in their best light (only tables with an integer key and a timestamp), and the list of all. Does not belong
here: the engine itself (`dagster_project.ingestion`).
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import psycopg2
from psycopg2 import sql
from psycopg2.extras import execute_values

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import slot
from dagster_project.ingestion.events import SyncEvent
from dagster_project.ingestion.sync import sync
from tests.integration.capture.tables import contract

NAIVE_TABLES = ("account", "entry", "ledger")


class Mode(Protocol):
    """A way of copying."""

    @property
    def contract(self) -> SystemContract:
        """What it copies."""
        ...

    @property
    def is_exact(self) -> bool:
        """Whether it claims that raw equals the source at the snapshot of every sync."""
        ...

    def set_up(self, source_url: str, warehouse_url: str) -> None:
        """Prepare source and warehouse before the first copy."""
        ...

    def copy(self, source_url: str, warehouse_url: str, on_event: Callable[[SyncEvent], None]) -> object:
        """Bring raw up to date."""
        ...


@dataclass(frozen=True)
class Engine:
    """Runmart's own sync."""

    contract: SystemContract
    is_exact: bool = True

    def set_up(self, source_url: str, warehouse_url: str) -> None:
        """Create slot and publication if changes are captured by them."""
        if self.contract.capture == "cdc":
            slot.enable(self.contract, source_url)

    def copy(self, source_url: str, warehouse_url: str, on_event: Callable[[SyncEvent], None]) -> object:
        """One sync."""
        return sync(self.contract, source_url, warehouse_url, on_event=on_event)


@dataclass(frozen=True)
class Naive:
    """Copies the rows beyond the largest cursor that it has seen.

    Attributes:
        cursor: Expression on a source row; `{key}` is the first key column.
        kind: Its type.
        since: Condition on the cursor, given the largest one copied so far as `%s`.
    """

    cursor: str
    kind: str
    since: str
    is_exact: bool = False

    @property
    def contract(self) -> SystemContract:
        """The tables that it can copy at all."""
        return contract(tables=NAIVE_TABLES)

    def set_up(self, source_url: str, warehouse_url: str) -> None:
        """Create raw tables of text, which is how they are compared."""
        with closing(psycopg2.connect(warehouse_url)) as warehouse, warehouse, warehouse.cursor() as cursor:
            cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(self.contract.raw_schema)))
            for table, declared in self.contract.tables.items():
                columns = [sql.SQL("{} text").format(sql.Identifier(column)) for column in declared.columns]
                cursor.execute(
                    sql.SQL("create table {} ({}, _deleted_at timestamptz, _cursor {}, primary key ({}))").format(
                        self._raw(table), sql.SQL(", ").join(columns), sql.SQL(self.kind), _names(declared.key)
                    )
                )

    def copy(self, source_url: str, warehouse_url: str, on_event: Callable[[SyncEvent], None]) -> object:
        """One round over all tables."""
        with closing(psycopg2.connect(source_url)) as source, closing(psycopg2.connect(warehouse_url)) as warehouse:
            for table in self.contract.tables:
                with source, source.cursor() as reading, warehouse, warehouse.cursor() as writing:
                    self._copy_table(table, reading, writing)
        return None

    def _copy_table(self, table: str, reading: psycopg2.extensions.cursor, writing: psycopg2.extensions.cursor) -> None:
        declared = self.contract.tables[table]
        cursor = sql.SQL(self.cursor).format(key=sql.Identifier(declared.key[0]))
        writing.execute(sql.SQL("select max(_cursor) from {}").format(self._raw(table)))
        (newest,) = writing.fetchone() or (None,)
        columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in declared.columns)
        since = sql.SQL("true") if newest is None else sql.SQL(self.since).format(cursor=cursor)
        reading.execute("set timezone = 'UTC'")
        reading.execute(
            sql.SQL("select {}, {} from {} where {}").format(columns, cursor, sql.Identifier(table), since),
            None if newest is None else (newest,),
        )
        assignments = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in (*declared.columns, "_cursor")]
        statement = sql.SQL("insert into {} ({}, _cursor) values %s on conflict ({}) do update set {}").format(
            self._raw(table), _names(declared.columns), _names(declared.key), sql.SQL(", ").join(assignments)
        )
        execute_values(writing, statement, reading.fetchall())

    def _raw(self, table: str) -> sql.Identifier:
        return sql.Identifier(self.contract.raw_schema, table)


EXACT_MODES: dict[str, Mode] = {"horizon": Engine(contract("horizon")), "cdc": Engine(contract("cdc"))}

NAIVE_MODES: dict[str, Mode] = {
    "naive_max_id": Naive("{key}", "bigint", "{cursor} > %s"),
    "naive_max_timestamp": Naive("changed_at", "timestamptz", "{cursor} >= %s"),
    "naive_max_timestamp_lag": Naive("changed_at", "timestamptz", "{cursor} >= %s - interval '3 seconds'"),
    "naive_max_xmin": Naive("xmin::text::bigint", "bigint", "{cursor} > %s"),
}


def _names(columns: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
