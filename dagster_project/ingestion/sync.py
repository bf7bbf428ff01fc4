"""One sync: bring the raw tables of a system up to one consistent snapshot of its source.

Belongs here: the order of steps that makes it lossless. After every commit the live rows of `raw_<system>` equal the source at one
snapshot, for all tables at once. Rows and watermark commit in one warehouse transaction: a sync that dies leaves nothing.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dagster_project.components.contract import SystemContract
from dagster_project.ingestion import apply, raw_tables, watermark
from dagster_project.ingestion.capture import CAPTURE_MODES
from dagster_project.ingestion.cursors import one_row
from dagster_project.ingestion.errors import SyncInProgress, from_driver
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.relay import relay
from dagster_project.ingestion.source import Position, SourceSnapshot, open_snapshot, source_table
from dagster_project.ingestion.watermark import Batch, TableSync, Watermark


@dataclass(frozen=True)
class SyncResult:
    """What a sync did.

    Attributes:
        system: The system.
        batch_id: The batch that it wrote.
        position: The source position that raw now equals.
        tables: One entry per table, in the contract's order.
    """

    system: str
    batch_id: int
    position: Position
    tables: tuple[TableSync, ...]


def sync(
    contract: SystemContract,
    source_url: str,
    warehouse_url: str,
    run_id: str | None = None,
    on_event: Callable[[SyncEvent], None] = lambda _: None,
) -> SyncResult:
    """Bring raw up to date.

    Args:
        contract: What to read.
        source_url: libpq URL of the source; a role with SELECT is enough.
        warehouse_url: libpq URL of the warehouse; its user must be a member of runmart_ingest.
        run_id: Identity of the run, kept with the batch.
        on_event: Called at each stage, for progress.

    Raises:
        SyncError: Nothing was written; the message names what, where and the way out.
    """
    with _warehouse(contract.system, warehouse_url) as warehouse, _source(contract, source_url) as source:
        raw_tables.check_declared(contract, source)
        with _translated("the warehouse"), warehouse:
            on_event(SyncEvent(Stage.SNAPSHOT, source=source))
            result = _load(contract, source, warehouse, run_id, on_event)
            on_event(SyncEvent(Stage.COMMITTING))
        on_event(SyncEvent(Stage.COMMITTED))
        return result


@dataclass(frozen=True)
class _Load:
    """The warehouse transaction of one sync."""

    contract: SystemContract
    source: SourceSnapshot
    warehouse: Connection
    batch: Batch
    before: Watermark | None

    def table(self, table: str) -> TableSync:
        started = time.monotonic()
        contract, source = self.contract, self.source
        candidates = CAPTURE_MODES[contract.capture].candidates(source, contract.tables[table], self.before)
        with source.connection.cursor() as reading, self.warehouse.cursor() as writing:
            apply.create_incoming(writing, contract, table)
            query = _select(contract, table, source, candidates.predicate)
            rows_read = relay(reading, query, f"the source {contract.system}", writing, apply.INCOMING)
            applied = apply.apply_incoming(writing, contract, table, self.batch, candidates.is_exhaustive)
            source_rows = rows_read if candidates.is_exhaustive else self._count(reading, table)
        return TableSync(
            table=table,
            source_rows=source_rows,
            rows_read=rows_read,
            rows_inserted=applied.inserted,
            rows_updated=applied.updated,
            rows_deleted=applied.deleted,
            seconds=round(time.monotonic() - started, 3),
            new_columns=self._new_columns(table),
        )

    def _count(self, reading: Cursor, table: str) -> int:
        reading.execute(sql.SQL("select count(*) from {}").format(source_table(self.contract, table)))
        (count,) = one_row(reading)
        return int(count)

    def _new_columns(self, table: str) -> tuple[str, ...]:
        known = self.before.columns.get(table) if self.before else None
        if known is None:
            return ()
        return tuple(c for c in self.source.columns[table] if c not in known and c not in self.contract.tables[table].columns)


def _load(
    contract: SystemContract, source: SourceSnapshot, warehouse: Connection, run_id: str | None, on_event: Callable[[SyncEvent], None]
) -> SyncResult:
    tables: list[TableSync] = []
    with warehouse.cursor() as cursor:
        before = watermark.read_watermark(cursor, contract.system)
        raw_tables.prepare(cursor, contract, source)
        batch = watermark.begin_batch(cursor, contract.system, run_id, contract.capture, source)
        load = _Load(contract, source, warehouse, batch, before)
        for table in contract.tables:
            tables.append(load.table(table))
            on_event(SyncEvent(Stage.APPLIED, table, table_sync=tables[-1]))
        watermark.finish_batch(cursor, contract.system, batch, source, tables)
    return SyncResult(contract.system, batch.batch_id, source.position, tuple(tables))


def _select(contract: SystemContract, table: str, source: SourceSnapshot, predicate: sql.Composable) -> sql.Composable:
    # Binary rows carry no types: each value is cast to the type of its raw column.
    columns = [
        sql.SQL("{}::{}").format(sql.Identifier(column), sql.SQL(source.columns[table][column]))
        for column in contract.tables[table].columns
    ]
    return sql.SQL("select {} from {} where {}").format(sql.SQL(", ").join(columns), source_table(contract, table), predicate)


@contextmanager
def _source(contract: SystemContract, url: str) -> Iterator[SourceSnapshot]:
    with _translated(f"the source {contract.system}"), open_snapshot(contract, url) as source:
        yield source


@contextmanager
def _warehouse(system: str, url: str) -> Iterator[Connection]:
    """A connection as runmart_ingest that holds the system's lock; closing it releases the lock and undoes what was not committed."""
    with _translated("the warehouse"):
        connection = psycopg2.connect(url, connect_timeout=10, application_name=f"runmart sync {system}")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("set role runmart_ingest")
                cursor.execute("set timezone = 'UTC'")
                cursor.execute("set synchronous_commit = on")
                cursor.execute("select pg_try_advisory_lock(hashtext('runmart sync'), hashtext(%s))", (system,))
                if one_row(cursor) == (False,):
                    raise SyncInProgress(f"a sync of {system} is already running; wait for it to end and repeat if needed")
            connection.autocommit = False
            yield connection
            # The server notices a closed connection in its own time; the next sync shall not find the lock still held.
            with connection, connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock_all()")
        finally:
            connection.close()


@contextmanager
def _translated(database: str) -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as error:
        raise from_driver(error, database) from error
