"""One sync: bring the raw tables of a system up to one consistent snapshot of its source.

Belongs here: the order of steps that makes it lossless. After every commit the live rows of a component, which is what foreign keys tie
together, equal the source at one snapshot. All components are brought to the same one; a component with a table that fails stands still
at its last one, whole. Rows and watermark commit in one warehouse transaction: a sync that dies leaves nothing but first loads of whole
tables, which the next one takes over.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion import apply, own_failures, raw_tables, slot, warehouse, watermark
from dagster_project.ingestion.candidates import NOTHING
from dagster_project.ingestion.capture import Stream, can_go_on, candidates, has_new_shape, published_from, read_stream
from dagster_project.ingestion.errors import WAREHOUSE, NoTableSynced, SyncError, translated
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.held_types import with_held_types
from dagster_project.ingestion.loads import Databases, load_tables
from dagster_project.ingestion.lock import LockingConnection
from dagster_project.ingestion.reconcile import Reconcile, Reconciliation, reconcile
from dagster_project.ingestion.source import Position, SourceSnapshot, connect, open_snapshot, transactions_since, wait_until_durable
from dagster_project.ingestion.standing import StandingTable, standing_tables
from dagster_project.ingestion.table_load import TableLoad
from dagster_project.ingestion.watermark import Batch, Lag, TableState, TableSync, Watermark
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.driver_errors import first_line


@dataclass(frozen=True)
class SyncResult:
    """What a sync did.

    Attributes:
        system: The system.
        batch_id: The batch that it wrote.
        position: The source position that raw now equals.
        lag: How far raw was behind the source when the batch was committed.
        tables: One entry per table that was brought there, in the contract's order.
        standing: The tables that were not brought there, in the contract's order.
        reconciliations: What comparing whole tables found, if that was asked for.
        warnings: What a person should know, one line each.
    """

    system: str
    batch_id: int
    position: Position
    lag: Lag
    tables: tuple[TableSync, ...]
    standing: tuple[StandingTable, ...] = ()
    reconciliations: tuple[Reconciliation, ...] = ()
    warnings: tuple[str, ...] = ()


def sync(
    contract: SystemContract,
    source_url: str,
    warehouse_url: str,
    run_id: str | None = None,
    *,
    on_event: Callable[[SyncEvent], None] = lambda _: None,
    reconciling: Reconcile | None = None,
) -> SyncResult:
    """Bring raw up to date.

    Args:
        contract: What to read.
        source_url: libpq URL of the source; a role with SELECT is enough, change data capture needs REPLICATION too.
        warehouse_url: libpq URL of the warehouse; its user must be a member of runmart_ingest.
        run_id: Identity of the run, kept with the batch.
        on_event: Called at each stage, for progress.
        reconciling: Which tables to compare in full as well, at the same snapshot; none if None.

    Raises:
        SyncError: Nothing was written but first loads of whole tables, which the next sync takes over; the message names what, where and
            the way out. A table that fails by itself does not end the sync, unless no component is left that can be brought up.
    """
    databases = Databases(source_url, warehouse_url)
    with _locked_warehouse(contract.system, warehouse_url) as writing:
        on_event(SyncEvent(Stage.LOCKED))
        loaded: dict[str, TableSync] = {}
        failures: dict[str, SyncError] = {}
        while True:
            with translated(f"the source {contract.system}"), open_snapshot(contract, source_url, failures) as source:
                failures.update(source.failures)
                on_event(SyncEvent(Stage.SNAPSHOT, source=source))
                with translated(WAREHOUSE):
                    run = _Sync(contract, databases, source, writing, run_id, on_event, loaded, failures)
                    if run.load_new_tables():
                        return run.bring_up(reconciling)


@dataclass(frozen=True)
class _BroughtUp:
    """A table at the snapshot, and what comparing it in full has found if that was asked for."""

    load: TableLoad
    reconciliation: Reconciliation | None


@dataclass
class _Sync:
    """One sync at one snapshot; what its first loads have to ask and to tell.

    Attributes:
        loaded: First loads that this sync has done so far, under this snapshot or an earlier one.
        failures: Why tables cannot be brought to a snapshot, found so far.
        before: What was known of the system, first loads of this sync included.
        reshaped: Tables that raw has, with other columns or types than it should have, or with values that were stored otherwise.
        synced_at: The moment that rows are stamped with, by the warehouse's clock.
        to_load: New tables that nobody loads yet.
        has_begun_to_load: Whether somebody does, or did, under this snapshot.
    """

    contract: SystemContract
    databases: Databases
    source: SourceSnapshot
    warehouse: LockingConnection
    run_id: str | None
    on_event: Callable[[SyncEvent], None]
    loaded: dict[str, TableSync]
    failures: dict[str, SyncError]
    before: Watermark = field(init=False)
    reshaped: set[str] = field(init=False)
    synced_at: datetime = field(init=False)
    to_load: deque[BoundTable] = field(init=False)
    has_begun_to_load: bool = False

    def load_new_tables(self) -> bool:
        """Load tables that raw does not have, each in a transaction of its own; False if the snapshot became too old for the rest."""
        with self.warehouse, self.warehouse.cursor() as cursor:
            self._resume(cursor)
            existing = self._look_at_raw(cursor)
            new = [table for table in self._not_failed() if table.name not in existing and not self._is_loaded(table.name)]
            # The largest first, so that no connection is left alone with it at the end.
            self.to_load = deque(sorted(new, key=lambda table: self.source.tables[table.name].bytes or 0, reverse=True))
            if new:
                # Workers write for a batch that is there, into a schema that is there.
                batch = self._begin(cursor)
                raw_tables.ensure_schema(cursor, self.contract.loading_schema)
        if new:
            loading = self.contract.only({table.name for table in new})
            load_tables(self, loading, self.databases, source=self.source, writing=self.warehouse, batch=batch)
        return not self.to_load

    def next_table(self) -> BoundTable | None:
        """The next new table that can be brought up after it is loaded, unless the snapshot is too old for another one."""
        while self.to_load and not (self.has_begun_to_load and self.source.is_too_old):
            table = self.to_load.popleft()
            if table.name in self._going_on().tables:
                self.has_begun_to_load = True
                return table
        return None

    def note_loaded(self, table_sync: TableSync, state: TableState) -> None:
        """Keep that a table was loaded."""
        self.loaded[table_sync.table] = table_sync
        self.before = replace(self.before, tables={**self.before.tables, table_sync.table: state})
        self.on_event(SyncEvent(Stage.LOADED, table_sync.table, table_sync=table_sync))

    def note_failure(self, table: BoundTable, failure: SyncError) -> None:
        """Keep what a table failed for."""
        self.failures[table.name] = failure

    def bring_up(self, reconciling: Reconcile | None) -> SyncResult:
        """Bring all components that can be to the snapshot, and commit once."""
        going_on = self._going_on()
        with translated(f"the source {self.contract.system}"):
            stream = read_stream(going_on, self.databases.source_url, self.source, self.before) if going_on.tables else Stream()
        with self.warehouse, self.warehouse.cursor() as cursor:
            batch = self._begin(cursor)
            done: list[_BroughtUp] = []
            for component in going_on.components():
                done += self._bring_up_together(cursor, [going_on.table(name) for name in component], batch, stream, reconciling)
            if not done:
                # There is no batch to speak of, but what stands still is kept.
                self.warehouse.rollback()
            standing = self._note_standing(cursor)
            result = self._finish(cursor, batch, stream, done, standing) if done else None
        if result is None:
            raise self._failure()
        self.on_event(SyncEvent(Stage.COMMITTED))
        warnings = (*result.warnings, *self._acknowledge(stream))
        self.on_event(SyncEvent(Stage.ACKNOWLEDGED))
        return replace(result, warnings=warnings)

    def _finish(
        self, cursor: Cursor, batch: Batch, stream: Stream, done: Sequence[_BroughtUp], standing: Sequence[StandingTable]
    ) -> SyncResult:
        """Write down where raw stands now, in the transaction that brought it there."""
        places = [*self.contract.tables]
        in_order = sorted(done, key=lambda one: places.index(one.load.table.name))
        loads = [one.load for one in in_order]
        syncs = tuple(self._table_sync(load) for load in loads)
        watermark.write_table_states(cursor, self.contract.system, {load.table.name: self._state(load, stream) for load in loads})
        lag = self._leave_source()
        watermark.finish_batch(cursor, self.contract.system, batch, syncs, acknowledged=stream.acknowledged, lag=lag)
        self.on_event(SyncEvent(Stage.COMMITTING))
        return SyncResult(
            system=self.contract.system,
            batch_id=batch.batch_id,
            position=self.source.position,
            lag=lag,
            tables=syncs,
            standing=tuple(standing),
            reconciliations=tuple(one.reconciliation for one in in_order if one.reconciliation),
            warnings=(*stream.warnings, *(line for load in loads for line in load.warnings)),
        )

    def _look_at_raw(self, cursor: Cursor) -> set[str]:
        """Take down what raw has, and find the tables that it cannot follow; names of those that raw has."""
        contract = self.contract
        cursor.execute("select clock_timestamp()")
        (self.synced_at,) = one_row(cursor)
        self.source.tables = with_held_types(cursor, self.source.tables)
        existing = raw_tables.existing(cursor, contract.raw_schema)
        loading = raw_tables.existing(cursor, contract.loading_schema)
        self.before = watermark.read_watermark(cursor, contract.system).of_tables(existing, loading)
        kept = raw_tables.types(cursor, contract.raw_schema)
        cursor.execute("savepoint alone")
        for table in self._not_failed():
            with self._alone(table, cursor):
                raw_tables.check_declared(table, self.source.tables[table.name])
        reshaped = [table for table in self._not_failed() if table.name in existing and self._has_new_shape(table, kept[table.name])]
        self.reshaped = {table.name for table in reshaped}
        for table in reshaped:
            with self._alone(table, cursor):
                raw_tables.check(cursor, table, self.source.tables[table.name])
        cursor.execute("release savepoint alone")
        return existing

    def _going_on(self) -> SystemContract:
        """The contract of the components in which nothing has failed so far."""
        whole = (component for component in self.contract.components() if self.failures.keys().isdisjoint(component))
        return self.contract.only({table for component in whole for table in component})

    def _not_failed(self) -> list[BoundTable]:
        """The tables that nothing is known to speak against so far, be their components whole or not."""
        return [table for table in self.contract.bound_tables() if table.name not in self.failures]

    @contextmanager
    def _alone(self, table: BoundTable, cursor: Cursor) -> Iterator[None]:
        """Let what a table fails for be its own: the sync goes on without it and its component, under the savepoint `alone`."""
        try:
            yield
        except own_failures.FAILURES as error:
            if not own_failures.is_own(error):
                raise
            cursor.execute("rollback to savepoint alone")
            self.failures[table.name] = own_failures.told(error, table, self.source, cursor)

    def _note_standing(self, cursor: Cursor) -> tuple[StandingTable, ...]:
        standing = standing_tables(self.contract, self.failures)
        watermark.write_standing(cursor, self.contract.system, standing)
        return standing

    def _failure(self) -> SyncError:
        """What all tables failed for."""
        causes = [self.failures[table] for table in self.contract.tables if table in self.failures]
        return causes[0] if len(causes) == 1 else NoTableSynced(causes)

    def _has_new_shape(self, table: BoundTable, kept: Mapping[str, str]) -> bool:
        return has_new_shape(table, self.source.tables[table.name], self.before.tables.get(table.name), kept)

    def _is_loaded(self, table: str) -> bool:
        """Whether an earlier attempt loaded the table, and what it loaded can be brought up to date."""
        state = self.before.tables.get(table)
        return state is not None and can_go_on(self.source, table, state)

    def _resume(self, cursor: Cursor) -> None:
        """Make the batch of a sync that never ended this one's, before anything is looked at that its workers may still write."""
        watermark.resume_batch(cursor, self.contract.system, self.run_id, self.contract.capture, self.source.position)

    def _begin(self, cursor: Cursor) -> Batch:
        begun = watermark.begin_batch(cursor, self.contract.system, self.run_id, self.contract.capture, self.source.position)
        return Batch(*begun, self.synced_at)

    def _bring_up_together(
        self, cursor: Cursor, component: Sequence[BoundTable], batch: Batch, stream: Stream, reconciling: Reconcile | None
    ) -> list[_BroughtUp]:
        """Bring the tables of a component to the snapshot, all or none."""
        cursor.execute("savepoint alone")
        done: list[_BroughtUp] = []
        for table in component:
            with self._alone(table, cursor):
                load = self._bring_up_table(cursor, table, batch, stream)
                raw_tables.follow_indexes(cursor, table)
                asked = reconciling if reconciling and reconciling.includes(table.name) else None
                done.append(_BroughtUp(load, self._reconcile(load, asked) if asked else None))
            if table.name in self.failures:
                return []
        cursor.execute("release savepoint alone")
        return done

    def _bring_up_table(self, cursor: Cursor, table: BoundTable, batch: Batch, stream: Stream) -> TableLoad:
        state = self.before.tables.get(table.name)
        if state is not None and state.is_loading:
            raw_tables.adopt(cursor, table)
        elif table.name in self.reshaped:
            raw_tables.follow(cursor, table, self.source.tables[table.name])
        load = TableLoad(table, self.source, batch, cursor, live_rows=state.live_rows if state else 0)
        is_loaded_now = state is not None and state.is_loading and state.position == self.source.position
        known = None if table.name in self.reshaped else state
        load.run(NOTHING if is_loaded_now else candidates(table, self.source, known, stream))
        apply.analyze_if_worth_it(cursor, table, load.applied, load.live_rows)
        self.on_event(SyncEvent(Stage.APPLIED, table.name, table_sync=self._table_sync(load)))
        return load

    def _table_sync(self, load: TableLoad) -> TableSync:
        """What was done to a table in all: its first load, this one's or an earlier attempt's, and what came on top."""
        state = self.before.tables.get(load.table.name)
        done = load.table_sync(self._new_columns(load.table))
        if state is None or not state.is_loading:
            return done
        first = self.loaded.get(load.table.name, TableSync(load.table.name, "resumed first load", 0, 0, 0, state.live_rows, 0, 0, 0.0))
        return first + done

    def _new_columns(self, table: BoundTable) -> tuple[str, ...]:
        state, columns = self.before.tables.get(table.name), self.source.tables[table.name].columns
        known = {*(state.columns if state else columns), *table.columns}
        return tuple(column for column in columns if column not in known)

    def _state(self, load: TableLoad, stream: Stream) -> TableState:
        name = load.table.name
        described = self.source.tables[name]
        return TableState(
            batch_id=load.batch.batch_id,
            is_loading=False,
            position=self.source.position,
            shape=described.shape,
            columns=tuple(described.columns),
            leaves=described.leaves,
            live_rows=load.live_rows,
            publication=stream.publications.get(name),
            published_from=published_from(self.source, self.before.tables.get(name), stream, name),
        )

    def _reconcile(self, load: TableLoad, reconciling: Reconcile) -> Reconciliation:
        found = reconcile(load, reconciling.is_repairing)
        if found.differing:
            fate = "repaired" if found.is_repaired else "not repaired: `runmart reconcile --repair` does"
            load.warnings.append(
                f"{load.table.raw_name} differed from its source: {found.lost} rows lost, {found.extra} extra, "
                f"{found.stale} stale; {fate}; ops.repairs has their keys"
            )
        return found

    def _leave_source(self) -> Lag:
        """Let the snapshot go, and wait until the source can no longer take back what it showed, of other tables too.

        A transaction that a crash takes back gives its number to a later one, which would look as old as the snapshot.
        """
        self.source.release()
        with translated(f"the source {self.contract.system}"), self.source.connection.cursor() as asking:
            lag = Lag(round(self.source.age_seconds, 3), transactions_since(asking, self.source.position))
            wait_until_durable(asking, self.source.end_lsn)
        return lag

    def _acknowledge(self, stream: Stream) -> tuple[str, ...]:
        """Let the slot go on; if that fails, the next sync does it."""
        if stream.acknowledged is None:
            return ()
        try:
            with connect(self.contract, self.databases.source_url) as connection, connection.cursor() as cursor:
                slot.advance(cursor, slot.slot_name(self.contract.system), stream.acknowledged)
        except psycopg2.Error as error:
            return (f"the replication slot of {self.contract.system} was not advanced ({first_line(error)}); the next sync will",)
        return ()


@contextmanager
def _locked_warehouse(system: str, url: str) -> Iterator[LockingConnection]:
    """A connection that holds the system's lock; closing it releases the lock and undoes what was not committed."""
    with translated(WAREHOUSE), warehouse.connect(system, url, LockingConnection) as connection:
        try:
            connection.lock(system)
            yield connection
        finally:
            # The server notices a closed connection in its own time; the next sync shall not find the lock still held, however this one
            # ended. A connection that is lost by now has no lock.
            with suppress(psycopg2.Error):
                connection.release()
