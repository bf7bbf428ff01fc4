"""Which value made the copying of a table fail.

Belongs here: finding the row and the column once more, after a failure and before it is told. Does not belong here: what becomes of the
table (`sync`). Rows are copied in no order, so the copy is repeated in the order of the key up to the row that fails.
"""

from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.components.contract import SystemContract
from dagster_project.ingestion.catalog import SourceTable, source_table
from dagster_project.ingestion.cursors import leaving_nothing
from dagster_project.ingestion.errors import StatementFailed, is_of_a_value
from dagster_project.ingestion.reading import columns_as_raw
from dagster_project.ingestion.relay import Relay
from dagster_project.ingestion.source import SourceSnapshot

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


def locate(failed: StatementFailed, contract: SystemContract, table: str, source: SourceSnapshot, writing: Cursor) -> Fault:
    """The value that made a copy of a table fail, as far as it can be found within the limits of the source.

    Args:
        failed: The failure.
        contract: The system.
        table: The table.
        source: The snapshot, which the failure has left usable.
        writing: Cursor of a transaction in the warehouse, likewise; what is done here leaves nothing in it.
    """
    if failed.row is None or not is_of_a_value(failed.cause):
        return Fault()
    described = source.tables[table]
    if not contract.tables[table].key:
        return Fault(failed.column)
    again = _copy_again(contract, table, source, writing)
    if again is None or again.row is None:
        return Fault(failed.column)
    with suppress(StatementFailed):
        return Fault(again.column or _column(contract, table, described, source, again.row), _key(contract, table, source, again.row))
    return Fault(again.column)


def _copy_again(contract: SystemContract, table: str, source: SourceSnapshot, writing: Cursor) -> StatementFailed | None:
    """The failure of a copy in the order of the key; None if that copy does not fail."""
    described = source.tables[table]
    declared = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(described.columns[name].raw_type)) for name in contract.tables[table].columns
    ]
    query = sql.SQL("select {} from {}").format(columns_as_raw(described, contract.tables[table].columns), _in_order(contract, table))
    try:
        with leaving_nothing(writing), source.reading() as reading:
            writing.execute(sql.SQL("create temporary table located ({}) on commit drop").format(sql.SQL(", ").join(declared)))
            Relay(reading, contract, writing).copy(query, _LOCATED)
    except StatementFailed as failed:
        return failed
    return None


def _column(contract: SystemContract, table: str, described: SourceTable, source: SourceSnapshot, row: int) -> str | None:
    """The first column of a row that the source cannot send."""
    for column in contract.tables[table].columns:
        row_alone = _in_order(contract, table, row)
        query = sql.SQL("copy (select {} from {}) to stdout (format binary)").format(columns_as_raw(described, [column]), row_alone)
        try:
            with source.reading() as reading:
                reading.copy_expert(query, BytesIO())
        except (StatementFailed, psycopg2.Error):
            return column
    return None


def _key(contract: SystemContract, table: str, source: SourceSnapshot, row: int) -> str:
    key = contract.tables[table].key
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("source", column)) for column in key)
    with source.reading() as reading:
        reading.execute(sql.SQL("select {} from {}").format(texts, _in_order(contract, table, row)))
        values = reading.fetchall()[0]
    return ", ".join(f"{column} = {value}" for column, value in zip(key, values, strict=True))


def _in_order(contract: SystemContract, table: str, row: int | None = None) -> sql.Composable:
    """The source's rows in the order of the key, or the one at a place, from 1; values are read after sorting, one row at a time."""
    key = sql.SQL(", ").join(map(sql.Identifier, contract.tables[table].key))
    part = sql.SQL("offset 0" if row is None else f"offset {row - 1} limit 1")
    return sql.SQL("(select * from {} order by {} {}) as source").format(source_table(contract, table), key, part)
