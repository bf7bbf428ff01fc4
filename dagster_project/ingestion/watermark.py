"""How far each system has been read, kept in the warehouse beside the rows it describes.

Belongs here: reading and writing `ops.sync_state`, `ops.batches` and `ops.table_syncs`. All writes go through the sync's own transaction,
so rows and watermark commit together or not at all.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from dagster_project.ingestion.cursors import one_row
from dagster_project.ingestion.source import Position, SourceSnapshot


@dataclass(frozen=True)
class Watermark:
    """The state of raw after the last committed sync of a system.

    Attributes:
        batch_id: That sync's batch.
        position: The source position that raw equals.
        columns: For each table, the names of all columns that the source had.
    """

    batch_id: int
    position: Position
    columns: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class TableSync:
    """What one sync did to one table.

    Attributes:
        table: Its name.
        source_rows: Rows that the source had at the snapshot.
        rows_read: Rows that were copied to find the changes.
        rows_inserted: Rows that raw had never held.
        rows_updated: Rows with another value, or back after they were deleted.
        rows_deleted: Rows that the source no longer had.
        seconds: Time taken.
        new_columns: Columns that appeared at the source since the last sync and are not declared.
    """

    table: str
    source_rows: int
    rows_read: int
    rows_inserted: int
    rows_updated: int
    rows_deleted: int
    seconds: float
    new_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """One sync under way: its number and the moment that its rows are stamped with."""

    batch_id: int
    synced_at: datetime


def read_watermark(cursor: Cursor, system: str) -> Watermark | None:
    """The watermark of a system, or None before its first sync."""
    cursor.execute(
        """
        select batch_id, snapshot, horizon::text, position::text, system_identifier, timeline, columns
        from ops.sync_state where system = %s
        """,
        (system,),
    )
    row = cursor.fetchone()
    return Watermark(row[0], Position(*row[1:6]), row[6]) if row else None


def begin_batch(cursor: Cursor, system: str, run_id: str | None, capture: str, source: SourceSnapshot) -> Batch:
    """Number a new batch."""
    cursor.execute(
        """
        insert into ops.batches (system, run_id, capture, snapshot, started_at)
        values (%s, %s, %s, %s, transaction_timestamp()) returning batch_id, started_at
        """,
        (system, run_id, capture, source.position.snapshot),
    )
    return Batch(*one_row(cursor))


def finish_batch(cursor: Cursor, system: str, batch: Batch, source: SourceSnapshot, tables: Sequence[TableSync]) -> None:
    """Write what the batch did and move the watermark; the caller commits."""
    cursor.executemany(
        """
        insert into ops.table_syncs
            (batch_id, system, table_name, synced_at, source_rows, rows_read, rows_inserted, rows_updated, rows_deleted, seconds)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            (
                batch.batch_id,
                system,
                t.table,
                batch.synced_at,
                t.source_rows,
                t.rows_read,
                t.rows_inserted,
                t.rows_updated,
                t.rows_deleted,
                t.seconds,
            )
            for t in tables
        ],
    )
    cursor.execute("update ops.batches set committed_at = clock_timestamp() where batch_id = %s", (batch.batch_id,))
    position = source.position
    cursor.execute(
        """
        insert into ops.sync_state (system, batch_id, system_identifier, timeline, snapshot, horizon, position, columns)
        values (%s, %s, %s, %s, %s, %s::xid8, %s, %s)
        on conflict (system) do update set
            batch_id = excluded.batch_id, system_identifier = excluded.system_identifier, timeline = excluded.timeline,
            snapshot = excluded.snapshot, horizon = excluded.horizon, position = excluded.position, columns = excluded.columns,
            committed_at = clock_timestamp()
        """,
        (
            system,
            batch.batch_id,
            position.system_identifier,
            position.timeline,
            position.snapshot,
            position.horizon,
            position.lsn,
            json.dumps({table: list(columns) for table, columns in source.columns.items()}),
        ),
    )
