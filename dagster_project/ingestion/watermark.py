"""How far each table has been read, kept in the warehouse beside the rows it describes.

Belongs here: reading and writing `ops.sync_state`, `ops.table_state`, `ops.standing_tables`, `ops.batches`, `ops.table_syncs` and
`ops.table_quarantines`. All writes go through the transaction that writes the rows, so rows and watermark commit together or not at all.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from psycopg2 import errors
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from dagster_project.ingestion.candidates import NOTHING
from dagster_project.ingestion.errors import SyncInProgress
from dagster_project.ingestion.source import Position
from dagster_project.ingestion.standing import StandingTable
from dagster_project.postgres.cursors import one_row

# How a batch has found changes that marks rows, and reads nothing from the source.
_QUARANTINE = "quarantine"

_LAST_SYNC = """
select
    (
        select max(batch_id) from ops.batches
        where batches.system = state.system and committed_at is not null and capture <> %(quarantine)s
    ),
    acknowledged::text
from ops.sync_state as state
where system = %(system)s
"""


@dataclass(frozen=True)
class TableState:
    """What raw is known to hold of one table.

    Attributes:
        batch_id: The batch that said so.
        is_loading: Its first load is done, but its system's first sync is not: the table is in the loading schema.
        position: The source position that its live rows equal.
        shape: Digest of the declared columns' definitions then.
        columns: ALL columns that the source's table had.
        leaves: Fingerprint by identifier of what held its rows.
        live_rows: Number of its live rows.
        publication: Fingerprint of what streams its changes; None if nothing does.
        published_from: The first transaction that began when this publication was already there.
    """

    batch_id: int
    is_loading: bool
    position: Position
    shape: str
    columns: tuple[str, ...]
    leaves: Mapping[str, str]
    live_rows: int
    publication: str | None = None
    published_from: int | None = None


@dataclass(frozen=True)
class Watermark:
    """What is known of a system before a sync.

    Attributes:
        batch_id: The batch of its last committed sync; None before the first one.
        acknowledged: How far its replication slot may have been acknowledged; None if it cannot be read from.
        tables: State by table.
    """

    batch_id: int | None
    acknowledged: str | None
    tables: Mapping[str, TableState]

    def of_tables(self, existing: Collection[str], loading: Collection[str]) -> "Watermark":
        """What is known of tables that are there: one that somebody dropped is loaded again.

        Args:
            existing: Raw tables that there are.
            loading: Those that are there until the first sync of their system is whole.
        """
        there = {table: state for table, state in self.tables.items() if table in (loading if state.is_loading else existing)}
        return replace(self, tables=there)


@dataclass(frozen=True)
class TableSync:
    """What one sync did to one table.

    Attributes:
        table: Its name.
        found_by: How the rows that may differ were found.
        source_rows: Rows that the source had at the snapshot.
        rows_read: Rows that were copied to find the changes.
        bytes_read: Their size on the way, in bytes.
        rows_inserted: Rows that raw did not hold, those that are back after they were deleted included.
        rows_updated: Rows with another value.
        rows_deleted: Rows that the source no longer had.
        seconds: Time taken.
        new_columns: Columns that appeared at the source since the last sync and are not declared.
    """

    table: str
    found_by: str
    source_rows: int
    rows_read: int
    bytes_read: int
    rows_inserted: int
    rows_updated: int
    rows_deleted: int
    seconds: float
    new_columns: tuple[str, ...] = ()

    @property
    def rows_changed(self) -> int:
        """Rows of raw that are not as they were."""
        return self.rows_inserted + self.rows_updated + self.rows_deleted

    def __add__(self, later: "TableSync") -> "TableSync":
        return TableSync(
            table=self.table,
            found_by=self.found_by if later.found_by == NOTHING.found_by else f"{self.found_by}, {later.found_by}",
            source_rows=later.source_rows,
            rows_read=self.rows_read + later.rows_read,
            bytes_read=self.bytes_read + later.bytes_read,
            rows_inserted=self.rows_inserted + later.rows_inserted,
            rows_updated=self.rows_updated + later.rows_updated,
            rows_deleted=self.rows_deleted + later.rows_deleted,
            seconds=round(self.seconds + later.seconds, 3),
            new_columns=later.new_columns,
        )


@dataclass(frozen=True)
class Batch:
    """One sync under way.

    Attributes:
        batch_id: Its number.
        begun_by: The transaction that wrote its row, by which whoever loads for this sync knows that the batch is still its own.
        synced_at: The moment that its rows are stamped with.
    """

    batch_id: int
    begun_by: str
    synced_at: datetime


@dataclass(frozen=True)
class StandingSince:
    """A table that stands still, as kept.

    Attributes:
        since: When a sync first left it behind.
        failing: The failing tables that it is tied to, itself among them or not.
        reason: What it fails for; None if only tables that it is tied to do.
    """

    since: datetime
    failing: tuple[str, ...]
    reason: str | None

    @property
    def told(self) -> str:
        """Why it stands still, in words."""
        return self.reason or f"foreign keys tie it to {', '.join(self.failing)}, which cannot be synced"


def standing_lines(standing: Mapping[str, StandingSince]) -> dict[str, str]:
    """By table that fails, what a person must know of it: since when, what stands still with it, and why."""
    tied = {table: [name for name, one in standing.items() if table in one.failing and one.reason is None] for table in standing}
    return {
        table: f"stands still since {one.since:%Y-%m-%d %H:%M:%S} UTC"
        + (f", and with it {', '.join(tied[table])}" if tied[table] else "")
        + f": {one.reason}"
        for table, one in standing.items()
        if one.reason is not None
    }


@dataclass(frozen=True)
class Lag:
    """How far raw was behind its source when a batch was committed: age of the snapshot, and transactions begun since."""

    seconds: float
    transactions: int


def read_watermark(cursor: Cursor, system: str) -> Watermark:
    """The watermark of a system; empty before its first sync."""
    cursor.execute(_LAST_SYNC, {"system": system, "quarantine": _QUARANTINE})
    last_batch_id, acknowledged = cursor.fetchone() or (None, None)
    cursor.execute(
        """
        select
            table_name, batch_id, is_loading,
            snapshot, system_identifier, timeline, database_oid, next_transaction::text::bigint, started_at::text, position::text,
            snapshot_at::text,
            shape, columns, leaves, live_rows, publication, published_from::text
        from ops.table_state where system = %s
        """,
        (system,),
    )
    tables = {}
    for table, batch_id, is_loading, *position, shape, columns, leaves, live_rows, publication, published_from in cursor.fetchall():
        tables[table] = TableState(
            batch_id=batch_id,
            is_loading=is_loading,
            position=Position(*position),
            shape=shape,
            columns=tuple(columns),
            leaves=leaves,
            live_rows=live_rows,
            publication=publication,
            published_from=None if published_from is None else int(published_from),
        )
    return Watermark(last_batch_id, acknowledged, tables)


def resume_batch(cursor: Cursor, system: str, run_id: str | None, capture: str, position: Position) -> tuple[int, str] | None:
    """Go on with the batch of a sync that never ended; nobody who loads for that one can write any more.

    Returns:
        Its number, and the transaction that has written its row now; None if there is no such batch.

    Raises:
        SyncInProgress: Somebody is loading for it: a worker of a sync that has lost its lock.
    """
    try:
        cursor.execute(
            """
            with unfinished as (
                select batch_id from ops.batches where system = %(system)s and committed_at is null
                order by batch_id desc limit 1 for update nowait
            )

            update ops.batches
            set run_id = %(run_id)s, capture = %(capture)s, snapshot = %(snapshot)s
            from unfinished
            where batches.batch_id = unfinished.batch_id
            returning batches.batch_id, batches.xmin::text
            """,
            {"system": system, "run_id": run_id, "capture": capture, "snapshot": position.snapshot},
        )
    except errors.LockNotAvailable as error:
        raise SyncInProgress(system) from error
    row = cursor.fetchone()
    return (int(row[0]), str(row[1])) if row else None


def begin_batch(cursor: Cursor, system: str, run_id: str | None, capture: str, position: Position) -> tuple[int, str]:
    """Go on with the batch that never ended, or number a new one; returns and raises as `resume_batch` does."""
    resumed = resume_batch(cursor, system, run_id, capture, position)
    if resumed is not None:
        return resumed
    cursor.execute(
        "insert into ops.batches (system, run_id, capture, snapshot, started_at) values (%s, %s, %s, %s, clock_timestamp()) "
        "returning batch_id, xmin::text",
        (system, run_id, capture, position.snapshot),
    )
    batch_id, begun_by = one_row(cursor)
    return int(batch_id), str(begun_by)


def hold_batch(cursor: Cursor, system: str, batch: Batch) -> None:
    """Keep others from going on with a batch until this transaction ends, which writes for it.

    Raises:
        SyncInProgress: Another sync has gone on with it.
    """
    try:
        cursor.execute("select from ops.batches where batch_id = %s and xmin = %s::xid for share nowait", (batch.batch_id, batch.begun_by))
    except errors.LockNotAvailable as error:
        raise SyncInProgress(system) from error
    if cursor.rowcount != 1:
        raise SyncInProgress(system)


def write_table_states(cursor: Cursor, system: str, states: Mapping[str, TableState]) -> None:
    """Say what raw holds of tables now, in the transaction that wrote their rows."""
    execute_values(
        cursor,
        """
        insert into ops.table_state (
            system, table_name, batch_id, is_loading,
            snapshot, system_identifier, timeline, database_oid, next_transaction, started_at, position, snapshot_at,
            shape, columns, leaves, live_rows, publication, published_from
        )
        values %s
        on conflict (system, table_name) do update set
            batch_id = excluded.batch_id, is_loading = excluded.is_loading, snapshot = excluded.snapshot,
            system_identifier = excluded.system_identifier, timeline = excluded.timeline, database_oid = excluded.database_oid,
            next_transaction = excluded.next_transaction, started_at = excluded.started_at, position = excluded.position,
            snapshot_at = excluded.snapshot_at, shape = excluded.shape, columns = excluded.columns, leaves = excluded.leaves,
            live_rows = excluded.live_rows, publication = excluded.publication, published_from = excluded.published_from
        """,
        [
            {
                **vars(state),
                **vars(state.position),
                "system": system,
                "table": table,
                "columns": list(state.columns),
                "leaves": json.dumps(dict(state.leaves)),
                # As texts, because the type of transaction numbers takes no other.
                "next_transaction": str(state.position.next_transaction),
                "published_from": None if state.published_from is None else str(state.published_from),
            }
            for table, state in states.items()
        ],
        template="""(
            %(system)s, %(table)s, %(batch_id)s, %(is_loading)s,
            %(snapshot)s, %(system_identifier)s, %(timeline)s, %(database)s, %(next_transaction)s::xid8, %(started_at)s::timestamptz,
            %(lsn)s::pg_lsn, %(taken_at)s::timestamptz,
            %(shape)s, %(columns)s, %(leaves)s::jsonb, %(live_rows)s, %(publication)s, %(published_from)s::xid8
        )""",
    )


def write_standing(cursor: Cursor, system: str, standing: Sequence[StandingTable]) -> None:
    """Say which tables of a system stand still, each since the first sync that left it behind."""
    cursor.execute(
        "delete from ops.standing_tables where system = %s and table_name <> all(%s)", (system, [each.table for each in standing])
    )
    execute_values(
        cursor,
        """
        insert into ops.standing_tables (system, table_name, failing, reason) values %s
        on conflict (system, table_name) do update set failing = excluded.failing, reason = excluded.reason
        """,
        [(system, each.table, list(each.failing), each.reason) for each in standing],
    )


def read_standing(cursor: Cursor, system: str) -> dict[str, StandingSince]:
    """The tables of a system that stand still, by name; those that fail come before those that are tied to them."""
    cursor.execute(
        "select table_name, stands_since, failing, reason from ops.standing_tables where system = %s order by reason is null, table_name",
        (system,),
    )
    return {table: StandingSince(since.astimezone(UTC), tuple(failing), reason) for table, since, failing, reason in cursor.fetchall()}


def finish_batch(cursor: Cursor, system: str, batch: Batch, tables: Sequence[TableSync], *, acknowledged: str | None, lag: Lag) -> None:
    """Write what the batch did; the caller commits."""
    execute_values(
        cursor,
        """
        insert into ops.table_syncs (
            batch_id, system, table_name, synced_at, found_by, source_rows, rows_read, bytes_read,
            rows_inserted, rows_updated, rows_deleted, seconds
        )
        values %s
        """,
        [
            (
                *(batch.batch_id, system, t.table, batch.synced_at, t.found_by, t.source_rows, t.rows_read, t.bytes_read),
                *(t.rows_inserted, t.rows_updated, t.rows_deleted, t.seconds),
            )
            for t in tables
        ],
    )
    cursor.execute(
        "update ops.batches set committed_at = clock_timestamp(), lag_seconds = %s, lag_transactions = %s where batch_id = %s",
        (lag.seconds, lag.transactions, batch.batch_id),
    )
    cursor.execute(
        """
        insert into ops.sync_state (system, batch_id, acknowledged) values (%s, %s, %s)
        on conflict (system) do update
        set batch_id = excluded.batch_id, acknowledged = excluded.acknowledged, committed_at = clock_timestamp()
        """,
        (system, batch.batch_id, acknowledged),
    )


def has_unfinished_batch(cursor: Cursor, system: str) -> bool:
    """Whether a sync of the system has begun and not ended, though nobody may have its lock any more."""
    cursor.execute("select exists (select from ops.batches where system = %s and committed_at is null)", (system,))
    return bool(one_row(cursor)[0])


def begin_quarantine(cursor: Cursor, system: str, run_id: str | None) -> int:
    """Number a batch that marks rows, and reads nothing from the source; the caller has the system's lock."""
    cursor.execute(
        "insert into ops.batches (system, run_id, capture, snapshot, started_at, committed_at) "
        "values (%s, %s, %s, '', clock_timestamp(), clock_timestamp()) returning batch_id",
        (system, run_id, _QUARANTINE),
    )
    return int(one_row(cursor)[0])


def finish_quarantine(cursor: Cursor, system: str, batch_id: int, moved: Mapping[str, tuple[int, int]]) -> None:
    """Write what such a batch did: by table, the rows that it took out of the marts, and those that it let back; the caller commits."""
    execute_values(
        cursor,
        "insert into ops.table_quarantines (batch_id, system, table_name, rows_quarantined, rows_released) values %s",
        [(batch_id, system, table, *rows) for table, rows in moved.items()],
    )
    cursor.execute("update ops.sync_state set batch_id = %s where system = %s", (batch_id, system))
