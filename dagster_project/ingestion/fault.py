"""Which value made the copying of a table fail.

Belongs here: finding the row and the column once more, after a failure and before it is told. Does not belong here: what becomes of the
table (`sync`). Rows are copied in no order, so the copy is repeated in the order of the key up to the row that fails.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion.errors import StatementFailed
from dagster_project.ingestion.reading import columns_as_raw
from dagster_project.ingestion.source import SourceSnapshot
from dagster_project.postgres.cursors import leaving_nothing, one_row
from dagster_project.postgres.driver_errors import is_of_a_value

_LOCATED = sql.Identifier("pg_temp", "located")


@dataclass(frozen=True)
class Fault:
    """Where a value is at fault.

    Attributes:
        column: Its column; None if it is not known.
        key: The key of its row as a person reads it, such as `id = 7`; None if it is not known.
    """

    column: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        parts = (f"column {self.column}" if self.column else None, f"row {self.key}" if self.key else None)
        return "".join(f", {part}" for part in parts if part)


def locate(failed: StatementFailed, table: BoundTable, source: SourceSnapshot, writing: Cursor) -> Fault:
    """The value that made a copy of a table fail, as far as it can be found within the limits of the source.

    Args:
        failed: The failure.
        table: The table.
        source: The snapshot, which the failure has left usable.
        writing: Cursor of a transaction in the warehouse, likewise; what is done here leaves nothing in it.
    """
    if failed.row is None or not is_of_a_value(failed.cause):
        return Fault()
    again = _copy_again(table, source, writing) if table.key else None
    if again is not None and again.row is not None:
        # What a view computes may fail before its rows are in any order, and whatever is asked of it.
        with suppress(StatementFailed, psycopg2.Error):
            key = _key(table, source, again.row)
            column = again.column or _column(table, source, _is_row(table, source, key))
            if column:
                return Fault(column, ", ".join(f"{name} = {value}" for name, value in key.items()))
    return Fault(failed.column or (_column(table, source, sql.SQL("true")) if failed.is_at_source else None))


def _copy_again(table: BoundTable, source: SourceSnapshot, writing: Cursor) -> StatementFailed | None:
    """The failure of a copy in the order of the key; None if that copy does not fail."""
    described = source.tables[table.name]
    declared = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(described.columns[name].raw_type)) for name in table.columns]
    query = sql.SQL("select {} from {}").format(columns_as_raw(described, table.columns), _in_order(table))
    try:
        with leaving_nothing(writing), source.relaying(writing) as relay:
            writing.execute(sql.SQL("create temporary table located ({}) on commit drop").format(sql.SQL(", ").join(declared)))
            relay.copy(query, _LOCATED)
    except StatementFailed as failed:
        return failed
    return None


def _column(table: BoundTable, source: SourceSnapshot, condition: sql.Composable) -> str | None:
    """The one column that the source cannot send of the rows under a condition; None if it is not one alone."""
    failing = [column for column in table.columns if not _can_be_read(table, source, column, condition)]
    return failing[0] if len(failing) == 1 else None


def _can_be_read(table: BoundTable, source: SourceSnapshot, column: str, condition: sql.Composable) -> bool:
    query = sql.SQL("copy (select {} from {} as source where {}) to stdout (format binary)").format(
        columns_as_raw(source.tables[table.name], [column]), table.source, condition
    )
    try:
        with Path(os.devnull).open("wb") as nowhere, source.reading() as reading:
            reading.copy_expert(query, nowhere)
    except (StatementFailed, psycopg2.Error):
        # The driver does not say which cursor a COPY belongs to.
        return False
    return True


def _key(table: BoundTable, source: SourceSnapshot, row: int) -> dict[str, str]:
    """The key of the row at a place in the order of keys, from 1, as texts by column."""
    key = table.key
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("source", column)) for column in key)
    order = sql.SQL(", ").join(sql.Identifier("source", column) for column in key)
    query = sql.SQL("select {} from {} as source order by {} offset {} limit 1")
    with source.reading() as reading:
        reading.execute(query.format(texts, table.source, order, sql.Literal(row - 1)))
        return dict(zip(key, one_row(reading), strict=True))


def _is_row(table: BoundTable, source: SourceSnapshot, key: Mapping[str, str]) -> sql.Composable:
    """The condition of the row with a key."""
    types = source.tables[table.name].columns
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}::{}").format(sql.Identifier("source", column), sql.Literal(value), sql.SQL(types[column].source_type))
        for column, value in key.items()
    )


def _in_order(table: BoundTable) -> sql.Composable:
    """The source's rows in the order of the key; values are read after sorting, one row at a time."""
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    return sql.SQL("(select * from {} order by {} offset 0) as source").format(table.source, key)
