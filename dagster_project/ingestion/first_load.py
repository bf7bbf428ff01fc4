"""The first load of a table: straight into its place, with indexes made at the end.

Belongs here: filling a new raw table in the loading schema, in a transaction of its own, so that a sync that dies goes on with the next
table. Does not belong here: bringing it up to the snapshot of the whole system, which is a sync like any other (`sync`).
"""

import time
from collections.abc import Callable

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from dagster_project.components.contract import SystemContract
from dagster_project.ingestion import raw_tables, watermark
from dagster_project.ingestion.candidates import EVERYTHING
from dagster_project.ingestion.reading import select
from dagster_project.ingestion.relay import Relay
from dagster_project.ingestion.source import SourceSnapshot
from dagster_project.ingestion.watermark import Batch, TableState, TableSync

# Kilobytes for sorting an index; PostgreSQL's own default makes it merge from disk.
_SORT_MEMORY = 256 * 1024


def first_load(
    contract: SystemContract,
    table: str,
    source: SourceSnapshot,
    warehouse: Connection,
    *,
    batch: Batch,
    on_bytes: Callable[[int], None],
) -> tuple[TableSync, TableState]:
    """Copy a whole table into the loading schema; the caller commits.

    Raises:
        SchemaDrift: The declared key does not identify the rows.
    """
    started = time.monotonic()
    described, name = source.tables[table], raw_tables.loading_table(contract, table)
    with source.reading() as reading, warehouse.cursor() as writing:
        writing.execute("set local maintenance_work_mem = %s", (_SORT_MEMORY,))
        raw_tables.ensure_schema(writing, contract.loading_schema)
        writing.execute(sql.SQL("drop table if exists {}").format(name))
        raw_tables.create(writing, contract, table, name, described)
        stamps = sql.SQL("alter table {} alter _batch_id set default {}, alter _synced_at set default {}")
        writing.execute(stamps.format(name, sql.Literal(batch.batch_id), sql.Literal(batch.synced_at)))
        columns = sql.SQL(", ").join(map(sql.Identifier, contract.tables[table].columns))
        copied = Relay(reading, contract, writing, on_bytes).copy(
            select(contract, table, described, *EVERYTHING.reads), sql.SQL("{} ({})").format(name, columns), is_frozen=True
        )
        writing.execute(sql.SQL("alter table {} alter _batch_id drop default, alter _synced_at drop default").format(name))
        raw_tables.create_indexes(writing, contract, table, name, raw_tables.batches_after(batch.batch_id))
        writing.execute(sql.SQL("analyze {}").format(name))
        state = TableState(
            batch.batch_id, True, source.position, described.shape, tuple(described.columns), described.leaves, live_rows=copied.rows
        )
        watermark.write_table_states(writing, contract.system, {table: state})
    loaded = TableSync(table, "first load", copied.rows, copied.rows, copied.bytes, copied.rows, 0, 0, round(time.monotonic() - started, 3))
    return loaded, state
