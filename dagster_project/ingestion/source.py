"""The source side of a sync: one read-only snapshot of all its tables.

Belongs here: connecting with the limits that protect the source, locking against rewrites, the snapshot and where it stands in the
source's history. Does not belong here: what the tables look like (`catalog`), which rows are read (`candidates`), the warehouse.
"""

import os
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import Limits, SystemContract
from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion.catalog import SourceTable, describe, source_of
from dagster_project.ingestion.errors import AccessDenied, DatabaseUnreachable, SourceNotSupported, StatementFailed, SyncError, from_driver
from dagster_project.ingestion.relay import Relay
from dagster_project.postgres import versions
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.driver_errors import is_of_one_table

# Values must not depend on how the source's role or database is configured.
_FORMATS = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmloption": "content",
}

# Tables whose row level security applies to us, unless a policy shows us every row and none takes some away again.
_HIDING = """
select hidden.relation
from unnest(%s::text[]) as hidden (relation)
where row_security_active(hidden.relation) and not (
    exists (
        select from pg_catalog.pg_policy as policy
        where policy.polrelid = hidden.relation::regclass and policy.polpermissive and policy.polcmd in ('r', '*')
            and pg_get_expr(policy.polqual, policy.polrelid) = 'true'
            and exists (select from unnest(policy.polroles) as role where role = 0 or pg_has_role(role, 'usage'))
    )
    and not exists (
        select from pg_catalog.pg_policy as policy
        where policy.polrelid = hidden.relation::regclass and not policy.polpermissive and policy.polcmd in ('r', '*')
    )
)
"""

# What a role needs so that such a table shows it every row.
SHOWING_ALL = "give it a policy `for select using (true)` or the BYPASSRLS attribute"

_WAL_POSITION = "select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end::text"

# The control file learns of a promotion with the next checkpoint only; the name of the log's current file knows it at once.
_POSITION = """
select
    pg_current_snapshot()::text,
    (select system_identifier::text from pg_control_system()),
    case
        when pg_is_in_recovery() then (
            select greatest(checkpoint.timeline_id, recovery.min_recovery_end_timeline)
            from pg_control_checkpoint() as checkpoint cross join pg_control_recovery() as recovery
        )
        else ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint
    end,
    (select oid::bigint from pg_catalog.pg_database where datname = current_database()),
    age('3'::xid),
    pg_postmaster_start_time()::text,
    clock_timestamp()::text,
    pg_is_in_recovery(),
    case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end::text
"""

_FLUSH_SECONDS = 10
_CLOSE_SECONDS = 10


@dataclass(frozen=True)
class Position:
    """Where in the source's history a snapshot stands.

    Attributes:
        snapshot: Text form of `pg_current_snapshot()`.
        system_identifier: Identity of the server's data.
        timeline: Its timeline; changes when a standby is promoted.
        next_transaction: The first transaction that had not begun. Those under way have smaller numbers than this, not than the snapshot's
            xmax: that is the last completed one's successor.
        database: Number of the database within the server; its name may go to another one.
        started_at: When the server was started. Stopped, it may have been set back to a copy of its files without a trace.
        lsn: Position in the write-ahead log just before the snapshot was taken.
        taken_at: When that was, by the source's clock.
    """

    snapshot: str
    system_identifier: str
    timeline: int
    database: int
    next_transaction: int
    started_at: str
    lsn: str
    taken_at: str

    @property
    def xmin(self) -> int:
        """The horizon: every older transaction is visible or rolled back."""
        return int(self.snapshot.split(":")[0])

    @property
    def xmax(self) -> int:
        """The first transaction that was not yet complete when the snapshot was taken."""
        return int(self.snapshot.split(":")[1])

    def is_of_same_history(self, earlier: "Position") -> bool:
        """Whether the source went on from an earlier position: the same database on the same timeline, and not set back."""
        return (
            (self.system_identifier, self.timeline, self.database) == (earlier.system_identifier, earlier.timeline, earlier.database)
            and self.xmax >= earlier.xmax
            and lsn_number(self.lsn) >= lsn_number(earlier.lsn)
        )


def _next_transaction(snapshot: str, age_of_three: int) -> int:
    """The number of the next transaction: it is counted from the very first one, 3, in 32 bits; the snapshot has all 64."""
    xmax = int(snapshot.split(":")[1])
    return xmax + (3 + age_of_three - xmax) % 2**32


def lsn_number(lsn: str) -> int:
    """A position in the write-ahead log as a number of bytes."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


@dataclass
class SourceSnapshot:
    """All declared tables of one system as they were at one moment.

    Attributes:
        system: The system.
        connection: Holds the snapshot open: repeatable read, read only.
        limits: What may be asked of the source.
        position: Where the snapshot stands.
        end_lsn: End of the write-ahead log just after the snapshot was taken: all that it shows is before.
        is_standby: Whether the server is one: it lists no transactions in progress, and has no current position of its own.
        tables: What each declared table looks like, but for those that failed.
        failures: Declared tables that cannot be read, each with the reason.
    """

    system: str
    connection: Connection
    limits: Limits
    position: Position
    end_lsn: str
    is_standby: bool
    tables: Mapping[str, SourceTable]
    failures: Mapping[str, SyncError]
    _opened: float = field(default_factory=time.monotonic)

    @property
    def age_seconds(self) -> float:
        """How long the snapshot has been open."""
        return time.monotonic() - self._opened

    @property
    def is_too_old(self) -> bool:
        """Whether its time is over."""
        return self.age_seconds >= self.limits.snapshot_minutes * 60

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A cursor whose statements end before the snapshot's time is over; the snapshot outlives one that fails.

        Raises:
            StatementFailed: The source failed.
        """
        left = max(1.0, min(self.limits.statement_timeout_minutes * 60, self.limits.snapshot_minutes * 60 - self.age_seconds))
        with _failing_at_source():
            cursor = self.connection.cursor()
        with cursor:
            try:
                with _failing_at_source():
                    cursor.execute("savepoint reading; set local statement_timeout = %s", (int(left * 1000),))
                yield cursor
            except BaseException as error:
                if not self.connection.closed:
                    # A new cursor: the one that failed may have been in the middle of a COPY.
                    with suppress(psycopg2.Error), self.connection.cursor() as undoing:
                        undoing.execute("rollback to savepoint reading; release savepoint reading")
                # Others' errors pass through here too, such as the warehouse's.
                if isinstance(error, psycopg2.Error) and error.cursor is cursor:
                    raise StatementFailed(error, is_at_source=True) from error
                raise
            with _failing_at_source():
                cursor.execute("release savepoint reading")

    @contextmanager
    def relaying(self, writing: Cursor, on_bytes: Callable[[int], None] = lambda _: None) -> Iterator[Relay]:
        """A way for rows from a cursor of `reading` to one of the warehouse, no faster than the limits allow."""
        with self.reading() as reading:
            yield Relay(reading, writing, self.limits.read_megabytes_per_second, on_bytes)

    @contextmanager
    def also_over(self, connections: int, contract: SystemContract, url: str) -> Iterator[tuple["SourceSnapshot", ...]]:
        """The same snapshot over several connections, which share the limits; all but its own are closed at the end.

        If something keeps others from being opened, such as a limit of the role, or a change of schema that waits for a table, there are
        fewer.

        Args:
            connections: How many in all; at least one, which is its own.
            contract: The tables that are read over them.
            url: libpq URL of the source.

        Raises:
            StatementFailed: The source failed.
        """
        with _failing_at_source(), self.connection.cursor() as cursor:
            cursor.execute("select pg_export_snapshot()")
            (exported,) = one_row(cursor)
        with ExitStack() as opened:
            open_now = [self.connection]
            with suppress(psycopg2.Error):
                while len(open_now) < connections:
                    open_now.append(opened.enter_context(_import_snapshot(contract, url, exported)))
            share = self.limits.read_megabytes_per_second and self.limits.read_megabytes_per_second / len(open_now)
            limits = self.limits.model_copy(update={"read_megabytes_per_second": share})
            yield tuple(replace(self, connection=each, limits=limits) for each in open_now)

    def keep(self) -> None:
        """Ask the source for nothing, so that it does not end the snapshot for being idle."""
        with self.reading():
            pass

    def release(self) -> None:
        """Let the snapshot go as soon as all is read; the connection stays, one statement per transaction."""
        self.connection.rollback()
        self.connection.set_session(isolation_level="READ COMMITTED", readonly=False, autocommit=True)


@contextmanager
def _failing_at_source() -> Iterator[None]:
    """What the driver raises within is the source's error, wherever it is told."""
    try:
        yield
    except psycopg2.Error as error:
        raise StatementFailed(error, is_at_source=True) from error


@contextmanager
def open_snapshot(contract: SystemContract, url: str, failures: Mapping[str, SyncError]) -> Iterator[SourceSnapshot]:
    """Open one snapshot over the tables of the contract and close it at the end.

    Args:
        contract: The system.
        url: libpq URL of its source.
        failures: Tables that are known to fail, which are left alone.

    Raises:
        SourceNotSupported: The server is too old.
        psycopg2.Error: Anything else that is no matter of single tables; `errors.from_driver` says what it means.
    """
    with connect(contract, url) as connection:
        with connection.cursor() as cursor:
            # Before the snapshot: what was committed later than here may be missing in it, what was committed earlier is not.
            cursor.execute(_WAL_POSITION)
            (lsn,) = one_row(cursor)
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
        failures = dict(failures)
        with connection.cursor() as cursor:
            # Before the first SELECT: a snapshot older than a rewrite or TRUNCATE would see an empty table.
            failures |= _lock(cursor, [table for table in contract.bound_tables() if table.name not in failures])
            cursor.execute(_POSITION)
            snapshot, system_identifier, timeline, database, age, started_at, taken_at, is_standby, end_lsn = one_row(cursor)
            failures |= _refuse_hidden_rows(cursor, [table for table in contract.bound_tables() if table.name not in failures])
            tables = describe(cursor, contract.only(contract.tables.keys() - failures.keys()))
        position = Position(snapshot, system_identifier, timeline, database, _next_transaction(snapshot, age), started_at, lsn, taken_at)
        yield SourceSnapshot(contract.system, connection, contract.limits, position, end_lsn, is_standby, tables, failures)


@contextmanager
def _import_snapshot(contract: SystemContract, url: str, exported: str) -> Iterator[Connection]:
    """A connection that reads a snapshot which another one holds open, with locks of its own on the tables.

    It asks for the locks once: a change of schema that has begun to wait for the other's would keep it waiting for ever.
    """
    with connect(contract, url) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
        names = sql.SQL(", ").join(table.source for table in contract.bound_tables())
        with connection.cursor() as cursor:
            cursor.execute("set transaction snapshot %s", (exported,))
            cursor.execute(sql.SQL("lock table {} in access share mode nowait").format(names))
        yield connection
        _close(connection)


def _close(connection: Connection) -> None:
    """Close a connection and wait until the source has, so that whoever comes next is not one too many."""
    try:
        line = socket.socket(fileno=os.dup(connection.fileno()))
    except (OSError, psycopg2.Error):
        # It is lost, or closed.
        return
    with line, suppress(OSError):
        connection.close()
        line.settimeout(_CLOSE_SECONDS)
        # The server process leaves its end open until it has ended.
        while line.recv(1024):
            pass


def _lock(cursor: Cursor, tables: Sequence[BoundTable]) -> dict[str, SyncError]:
    """Lock tables against rewrites; those that cannot be locked, each with the reason.

    All in one statement, as long as none of them fails.
    """
    if not tables:
        return {}
    names = sql.SQL(", ").join(table.source for table in tables)
    try:
        cursor.execute(sql.SQL("savepoint locking; lock table {} in access share mode; release savepoint locking").format(names))
    except psycopg2.Error as error:
        if not is_of_one_table(error):
            raise
        cursor.execute("rollback to savepoint locking; release savepoint locking")
        if len(tables) == 1:
            return {tables[0].name: from_driver(error, source_of(tables[0]))}
        return {name: failure for table in tables for name, failure in _lock(cursor, [table]).items()}
    return {}


@contextmanager
def connect(contract: SystemContract, url: str) -> Iterator[Connection]:
    """A connection to the source, one statement per transaction, with the contract's limits and fixed formats."""
    limits = contract.limits
    connection = psycopg2.connect(url, connect_timeout=10, application_name=f"runmart sync {contract.system}")
    try:
        if refusal := versions.refusal(connection.server_version):
            raise SourceNotSupported(f"the source {contract.system} {refusal}")
        connection.autocommit = True
        connection.set_client_encoding("UTF8")
        milliseconds = {
            "lock_timeout": limits.lock_timeout_seconds * 1000,
            "statement_timeout": limits.statement_timeout_minutes * 60_000,
            "idle_in_transaction_session_timeout": limits.idle_timeout_minutes * 60_000,
        }
        settings = {**{name: str(int(value)) for name, value in milliseconds.items()}, **_FORMATS}
        with connection.cursor() as cursor:
            cursor.execute(
                "select set_config(name, value, false) from unnest(%s, %s) as s (name, value)", (list(settings), list(settings.values()))
            )
        yield connection
    finally:
        connection.close()


def transactions_since(cursor: Cursor, position: Position) -> int:
    """How many transactions the source has begun since a position."""
    cursor.execute("select pg_snapshot_xmax(pg_current_snapshot())::text")
    return int(one_row(cursor)[0]) - position.xmax


def wait_until_durable(cursor: Cursor, lsn: str) -> None:
    """Wait until the source could no longer lose what its write-ahead log says up to a position.

    A source with `synchronous_commit = off` shows rows before they are on its disk: a crash would take them back after they were copied.

    Raises:
        DatabaseUnreachable: It did not get there in time; worth another try.
    """
    if _is_durable(cursor, lsn):
        return
    with suppress(errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction):
        # Nothing flushes the last, half-filled page of an idle server's log but a commit. Local: no standby is waited for.
        cursor.execute("set synchronous_commit = local")
        cursor.execute("select pg_logical_emit_message(true, 'runmart', '')")
    started = time.monotonic()
    while not _is_durable(cursor, lsn):
        if time.monotonic() - started > _FLUSH_SECONDS:
            raise DatabaseUnreachable(f"the source did not write its log to disk up to {lsn} within {_FLUSH_SECONDS} s; repeat")
        time.sleep(0.05)


def _is_durable(cursor: Cursor, lsn: str) -> bool:
    cursor.execute("select pg_is_in_recovery() or pg_current_wal_flush_lsn() >= %s::pg_lsn", (lsn,))
    return bool(one_row(cursor)[0])


def hiding_rows(cursor: Cursor, relations: Collection[str]) -> set[str]:
    """The relations, of these by their qualified names, whose row level security may hide rows from this role."""
    cursor.execute(_HIDING, (list(relations),))
    return {relation for (relation,) in cursor.fetchall()}


def _refuse_hidden_rows(cursor: Cursor, tables: Sequence[BoundTable]) -> dict[str, SyncError]:
    """The tables that may hide rows: a reader that silently sees fewer rows would mark the others as deleted."""
    relations = {table.source.as_string(cursor): table for table in tables}
    return {
        relations[relation].name: AccessDenied(
            f"{source_of(relations[relation])}: row level security may hide rows of it from this role; {SHOWING_ALL}"
        )
        for relation in hiding_rows(cursor, relations)
    }
