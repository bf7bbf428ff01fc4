"""The first load of a table: straight into its place, with indexes made at the end.

Belongs here: filling a new raw table in the loading schema, in a transaction of its own, so that a sync that dies goes on with the next
table. Does not belong here: bringing it up to the snapshot of the whole system, which is a sync like any other (`sync`).
"""

import time
from collections.abc import Callable, Mapping

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.raw_columns import BATCH_ID, SYNCED_AT
from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion import raw_tables, watermark
from dagster_project.ingestion.candidates import EVERYTHING
from dagster_project.ingestion.reading import select
from dagster_project.ingestion.source import SourceSnapshot
from dagster_project.ingestion.watermark import Batch, TableState, TableSync

# Kilobytes for sorting an index; PostgreSQL's own default makes it merge from disk.
_SORT_MEMORY = 256 * 1024


def first_load(
    table: BoundTable, source: SourceSnapshot, warehouse: Connection, *, batch: Batch, on_bytes: Callable[[int], None]
) -> tuple[TableSync, TableState]:
    """Copy a whole table into the loading schema; the caller commits.

    Raises:
        SchemaDrift: The declared key does not identify the rows.
    """
    started = time.monotonic()
    described = source.tables[table.name]
    with warehouse.cursor() as writing:
        writing.execute("set local maintenance_work_mem = %s", (_SORT_MEMORY,))
        raw_tables.create(writing, table, described)
        stamps = {BATCH_ID: batch.batch_id, SYNCED_AT: batch.synced_at}
        _alter(writing, table, {column: sql.SQL("set default {}").format(sql.Literal(value)) for column, value in stamps.items()})
        columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
        with source.relaying(writing, on_bytes) as relay:
            copied = relay.copy(
                select(table, described, *EVERYTHING.reads), sql.SQL("{} ({})").format(table.loading, columns), is_frozen=True
            )
        _alter(writing, table, dict.fromkeys(stamps, sql.SQL("drop default")))
        raw_tables.create_indexes(writing, table, raw_tables.batches_after(batch.batch_id))
        writing.execute(sql.SQL("analyze {}").format(table.loading))
        state = TableState(
            batch.batch_id, True, source.position, described.shape, tuple(described.columns), described.leaves, live_rows=copied.rows
        )
        watermark.write_table_states(writing, table.system, {table.name: state})
    seconds = round(time.monotonic() - started, 3)
    return TableSync(table.name, "first load", copied.rows, copied.rows, copied.bytes, copied.rows, 0, 0, seconds), state


def _alter(writing: Cursor, table: BoundTable, changes: Mapping[str, sql.Composable]) -> None:
    """Alter columns of the table that is being made."""
    actions = [sql.SQL("alter {} {}").format(sql.Identifier(column), change) for column, change in changes.items()]
    writing.execute(sql.SQL("alter table {} {}").format(table.loading, sql.SQL(", ").join(actions)))
