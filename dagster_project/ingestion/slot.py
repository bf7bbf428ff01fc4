"""The replication slot of a system in change data capture: made, read, acknowledged, dropped.

Belongs here: which keys have changed since the slot was last acknowledged, and the life of slot and publication. Does not belong here:
rows, which the sync reads at its own snapshot by these keys; and which tables may be streamed (`publication`). The slot is only ever peeked
at: reading it changes nothing, so a sync may die at any moment.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import pgoutput, publication
from dagster_project.ingestion.errors import AccessDenied, SourceNotSupported, SyncError, from_driver
from dagster_project.ingestion.source import connect
from dagster_project.postgres.cursors import one_row
from dagster_project.words import size

PLUGIN = "pgoutput"

# A new slot begins when the transactions that were open have ended.
_CREATION_TIMEOUT = "5min"

# Which columns tell that a slot is beyond use differs from version to version.
_SLOT = """
select
    slot.slot_name,
    coalesce(slot.plugin, ''),
    coalesce(slot.confirmed_flush_lsn, '0/0')::text,
    slot.restart_lsn::text,
    coalesce(pg_wal_lsn_diff(here.lsn, slot.restart_lsn), 0)::bigint,
    coalesce(
        slot.plugin = %s and slot.database = current_database() and not slot.temporary and slot.wal_status is distinct from 'lost'
        and coalesce(to_jsonb(slot) ->> 'conflicting', 'false') = 'false' and to_jsonb(slot) ->> 'invalidation_reason' is null, false
    ),
    coalesce(pg_wal_lsn_diff(here.lsn, slot.confirmed_flush_lsn), 0)::bigint,
    slot.wal_status,
    slot.database,
    slot.active_pid
from pg_catalog.pg_replication_slots as slot
cross join (select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end) as here (lsn)
where slot.slot_name = %s
"""

_PEEK = """
copy (
    select data from pg_logical_slot_peek_binary_changes({slot}, {upto}, null, 'proto_version', '1', 'publication_names', {publication})
) to stdout
"""

_ADVANCE = """
select pg_replication_slot_advance(slot_name, %(lsn)s) from pg_catalog.pg_replication_slots
where slot_name = %(name)s and confirmed_flush_lsn < %(lsn)s and wal_status is distinct from 'lost'
"""


@dataclass(frozen=True)
class Slot:
    """A replication slot.

    Attributes:
        name: Its name.
        plugin: What decodes its changes; empty for a physical slot.
        confirmed: Position up to which it was acknowledged.
        restart: Position from which the source keeps its write-ahead log for it; None if it has lost it.
        retained_bytes: How much of the log that is.
        is_usable: Its changes can be read from the current database.
        lag_bytes: How much was written since it was acknowledged.
        wal_status: What the server says of the log that it needs: `reserved`, `extended`, `unreserved` or `lost`.
        database: The database that it reads; None for a physical slot.
        active_pid: The process that uses it at the moment.
    """

    name: str
    plugin: str
    confirmed: str
    restart: str | None
    retained_bytes: int
    is_usable: bool
    lag_bytes: int
    wal_status: str | None
    database: str | None
    active_pid: int | None


@dataclass(frozen=True)
class Changes:
    """What a slot knows to have changed.

    Attributes:
        keys: By table, the keys that were written: values as text in the order of the contract's key. An update that changed the key has
            both, the old and the new one.
        unknown: Tables of which the slot cannot tell the keys: truncated, a key value that was not sent along, or too many keys.
        transactions: The transactions that it holds, as id without epoch and end position, in the order of their commits.
    """

    keys: Mapping[str, set[tuple[str, ...]]]
    unknown: frozenset[str]
    transactions: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Enabled:
    """A system in change data capture.

    Attributes:
        slot: Its slot.
        is_new: The slot was made just now.
        tables: For each declared table, why it is not streamed; None if it is.
    """

    slot: Slot
    is_new: bool
    tables: Mapping[str, str | None]


def slot_name(system: str) -> str:
    """Name of the slot and of the publication of a system."""
    return f"runmart_{system}"


def limit_bytes(contract: SystemContract) -> int:
    """How much of the source's log the slot of a system may hold back."""
    return int(contract.limits.slot_gigabytes * 10**9)


def read_slot(cursor: Cursor, name: str) -> Slot | None:
    """A slot of the server, usable or not; None if there is none of that name."""
    cursor.execute(_SLOT, (PLUGIN, name))
    row = cursor.fetchone()
    return Slot(*row) if row else None


def peek(cursor: Cursor, contract: SystemContract, upto: str, max_keys: int) -> Changes:
    """Read which keys were written in transactions that ended before a position, leaving the slot as it is.

    Args:
        cursor: On a connection made by `source.connect`, whose formats are those that the keys' text is in.
        contract: The system, whose slot is read.
        upto: A position that the source has flushed.
        max_keys: Tables with more keys than that count as unknown.

    Raises:
        SourceNotSupported: The stream is not in pgoutput's protocol version 1.
        psycopg2.Error: The slot is gone, lost or in use, or the publication is gone.
    """
    cursor.connection.set_client_encoding("UTF8")
    reader = _Reader(contract, publication.declared_oids(cursor, contract), max_keys)
    name = sql.Literal(slot_name(contract.system))
    try:
        cursor.copy_expert(sql.SQL(_PEEK).format(slot=name, upto=sql.Literal(upto), publication=name), reader)
    except pgoutput.MalformedMessage as error:
        raise SourceNotSupported(f"the source {contract.system}: {error}; say `capture: horizon` in its contract") from error
    return reader.changes()


def acknowledgeable(changes: Changes, snapshot: str, upto: str) -> str | None:
    """How far a slot may be acknowledged once everything visible in a snapshot has been committed elsewhere.

    A transaction can be in the slot before it is visible to anybody, such as one that waits for a standby: its rows were not in the
    snapshot and must be asked for again, with everything after it.

    Args:
        changes: What was read from the slot.
        snapshot: Text form of the `pg_current_snapshot()` that rows were read at.
        upto: The position up to which the slot was read.

    Returns:
        `upto` if all transactions are visible in the snapshot, else the end of the last one before the first that is not; None if that is
        the very first.
    """
    end = None
    for xid, end_lsn in changes.transactions:
        if not _is_visible(xid, snapshot):
            return end
        end = end_lsn
    return upto


def advance(cursor: Cursor, name: str, lsn: str) -> None:
    """Acknowledge a slot up to a position; does nothing if it is already past it, lost, or gone.

    Raises:
        psycopg2.Error: Another process uses the slot.
    """
    cursor.execute(_ADVANCE, {"name": name, "lsn": lsn})


def enable(contract: SystemContract, url: str) -> Enabled:
    """Make publication and slot of a system as its contract wants them; does nothing where they are.

    The slot is always younger than the publication, and made anew with it: a transaction that was open while a table was added may be
    streamed without its changes to that table.

    Args:
        contract: The system.
        url: libpq URL of the source.

    Raises:
        SyncError: The source cannot stream, the role lacks a right, or no slot is free; the message says the way out.
    """
    if contract.capture != "cdc":
        raise SourceNotSupported(f"the contract of {contract.system} says `capture: {contract.capture}`; say `capture: cdc` first")
    name = slot_name(contract.system)
    with _admin(contract, url) as cursor:
        _refuse_unready(cursor, contract)
        reasons = publication.streamable(cursor, contract)
        tables = [table for table, reason in reasons.items() if reason is None]
        if not tables:
            listed = "; ".join(f"{table}: {reason}" for table, reason in reasons.items())
            raise SourceNotSupported(f"the source {contract.system} has no table that can be streamed ({listed})")
        owners_part = [
            sql.SQL("drop publication if exists {}").format(sql.Identifier(name)),
            publication.creation(name, [contract.table(table) for table in tables]),
        ]
        with _asking_the_owner(cursor, contract, owners_part):
            if not publication.is_exact(cursor, contract, name, tables):
                _drop_slot(cursor, contract)
                cursor.execute(sql.SQL("; ").join(owners_part))
            slot = read_slot(cursor, name)
            is_new = slot is None or not slot.is_usable
            if is_new:
                _drop_slot(cursor, contract)
                _create_slot(cursor, contract)
        slot = read_slot(cursor, name)
        if slot is None:
            raise SyncError(f"the source {contract.system}: somebody dropped the slot {name} just now; repeat")
        return Enabled(slot, is_new, reasons)


def disable(contract: SystemContract, url: str) -> bool:
    """Drop slot and publication of a system.

    Returns:
        Whether there was something to drop.

    Raises:
        SyncError: The slot is in use or of another database, or the role lacks a right.
    """
    name = slot_name(contract.system)
    with _admin(contract, url) as cursor:
        # The slot first: it must never be without the publication that it reads.
        with _asking_the_owner(cursor, contract, []):
            had_slot = _drop_slot(cursor, contract)
        cursor.execute("select from pg_catalog.pg_publication where pubname = %s", (name,))
        had_publication = cursor.fetchone() is not None
        if had_publication:
            drop = sql.SQL("drop publication {}").format(sql.Identifier(name))
            with _asking_the_owner(cursor, contract, [drop]):
                cursor.execute(drop)
        return had_slot or had_publication


def drop_if_over(cursor: Cursor, contract: SystemContract, limit: int) -> Slot | None:
    """Drop the slot of a system if it holds back more of the write-ahead log than a limit in bytes.

    Returns:
        The slot that was dropped, as it was; None if there is none or it is within the limit.

    Raises:
        SyncError: The slot is over its limit and another process uses it, it reads another database, or the role may not drop it.
    """
    slot = read_slot(cursor, slot_name(contract.system))
    if slot is None or slot.retained_bytes <= limit:
        return None
    with _asking_the_owner(cursor, contract, []):
        return slot if _drop_slot(cursor, contract) else None


def withdraw(cursor: Cursor, contract: SystemContract) -> dict[str, str]:
    """Take tables out of the publication that can no longer be streamed by their key: the source refuses every UPDATE and DELETE of them.

    Returns:
        The tables that were taken out, each with the reason.

    Raises:
        SyncError: The role does not own the publication.
    """
    name = slot_name(contract.system)
    members = publication.members(cursor, contract, name)
    reasons = {table: reason for table, reason in publication.streamable(cursor, contract).items() if reason and table in members}
    if reasons:
        statement = sql.SQL("alter publication {} drop table {}").format(
            sql.Identifier(name), sql.SQL(", ").join(contract.table(table).source for table in reasons)
        )
        with _asking_the_owner(cursor, contract, [statement]):
            cursor.execute(statement)
    return reasons


@dataclass
class _Reader:
    """Takes the rows of the peeking COPY, one per call, and keeps what they say."""

    contract: SystemContract
    tables: Mapping[int, str]
    max_keys: int
    keys: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    transactions: list[tuple[int, str]] = field(default_factory=list)
    xid: int = 0
    key_places: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def write(self, line: bytes) -> None:
        # A row is one line: a bytea in hexadecimal with its backslash escaped, `\\x42…`.
        message = bytes.fromhex(line[3:].decode())
        # Nearly all that a large transaction sends are keys of one column.
        change = pgoutput.single_value(message)
        if change is not None:
            relation, value = change
            self._add_key(relation, (value.decode(),))
        else:
            self._take(pgoutput.parse(message))

    def changes(self) -> Changes:
        return Changes(self.keys, frozenset(self.unknown), tuple(self.transactions))

    def _take(self, message: pgoutput.Message) -> None:
        match message:
            case pgoutput.Insert(relation, new):
                self._add(relation, new)
            case pgoutput.Update(relation, old, new):
                self._update(relation, old, new)
            case pgoutput.Delete(relation, old):
                self._add(relation, old)
            case pgoutput.Begin(xid):
                self.xid = xid
            case pgoutput.Commit(end_lsn):
                self.transactions.append((self.xid, f"{end_lsn >> 32:X}/{end_lsn & 0xFFFFFFFF:X}"))
            case pgoutput.Relation():
                self._locate_key(message)
            case pgoutput.Truncate(relations):
                for relation in relations:
                    self._give_up(relation)

    def _locate_key(self, relation: pgoutput.Relation) -> None:
        table = self.tables.get(relation.relation)
        if table is None:
            return
        try:
            self.key_places[relation.relation] = tuple(relation.columns.index(column) for column in self.contract.tables[table].key)
        except ValueError:
            # The key had other names at that time.
            self._give_up(relation.relation)

    def _update(self, relation: int, old: pgoutput.Row | None, new: pgoutput.Row) -> None:
        if old is not None:
            self._add(relation, old)
            new = tuple(before if after is pgoutput.Special.UNCHANGED else after for before, after in zip(old, new, strict=True))
        self._add(relation, new)

    def _add(self, relation: int, row: pgoutput.Row) -> None:
        if not self._is_wanted(relation):
            return
        try:
            key = tuple(_text(row[place]) for place in self.key_places[relation])
        except ValueError:
            self._give_up(relation)
        else:
            self._add_key(relation, key)

    def _add_key(self, relation: int, key: tuple[str, ...]) -> None:
        if not self._is_wanted(relation):
            return
        keys = self.keys.setdefault(self.tables[relation], set())
        keys.add(key)
        if len(keys) > self.max_keys:
            self._give_up(relation)

    def _is_wanted(self, relation: int) -> bool:
        return relation in self.tables and self.tables[relation] not in self.unknown

    def _give_up(self, relation: int) -> None:
        table = self.tables.get(relation)
        if table is not None:
            self.unknown.add(table)
            self.keys.pop(table, None)


def _text(value: bytes | pgoutput.Special) -> str:
    if isinstance(value, pgoutput.Special):
        raise ValueError(value)
    return value.decode()


def _is_visible(xid: int, snapshot: str) -> bool:
    xmin, xmax, in_progress = snapshot.split(":")
    # Ids without epoch are within 2^31 of every id that is in use.
    whole = int(xmax) + (xid - int(xmax) + 2**31) % 2**32 - 2**31
    return whole < int(xmin) or (whole < int(xmax) and str(whole) not in in_progress.split(","))


@contextmanager
def _admin(contract: SystemContract, url: str) -> Iterator[Cursor]:
    try:
        with connect(contract, url) as connection, connection.cursor() as cursor:
            yield cursor
    except psycopg2.Error as error:
        raise from_driver(error, f"the source {contract.system}") from error


def _refuse_unready(cursor: Cursor, contract: SystemContract) -> None:
    version = cursor.connection.server_version
    cursor.execute("select pg_is_in_recovery(), current_setting('wal_level')")
    is_standby, wal_level = one_row(cursor)
    problem = None
    if version < publication.OLDEST_VERSION:
        problem = f"runs PostgreSQL {version // 10000}; 15 is the oldest that can publish keys only: upgrade it"
    elif is_standby:
        problem = "is a standby; give the URL of its primary"
    elif wal_level != "logical":
        problem = f"has wal_level = {wal_level}; set it to logical (`alter system set wal_level = logical`), restart the server and repeat"
    if problem:
        raise SourceNotSupported(f"the source {contract.system} {problem}, or say `capture: horizon` in its contract")


def _create_slot(cursor: Cursor, contract: SystemContract) -> None:
    cursor.execute("select set_config('statement_timeout', %s, false), set_config('lock_timeout', '0', false)", (_CREATION_TIMEOUT,))
    try:
        cursor.execute("select pg_create_logical_replication_slot(%s, %s)", (slot_name(contract.system), PLUGIN))
    except errors.QueryCanceled as error:
        raise SyncError(
            f"the source {contract.system}: a slot can only begin when all open transactions have ended, and some did not within "
            f"{_CREATION_TIMEOUT}; end them (pg_stat_activity, pg_prepared_xacts) or repeat later"
        ) from error
    except errors.ConfigurationLimitExceeded as error:
        raise SyncError(
            f"the source {contract.system} has no free replication slot; raise max_replication_slots and restart it, or drop a slot that "
            "nobody needs (pg_replication_slots)"
        ) from error


def _drop_slot(cursor: Cursor, contract: SystemContract) -> bool:
    """Drop the slot if there is one; a slot in use or of another database is an error."""
    slot = read_slot(cursor, slot_name(contract.system))
    if slot is None:
        return False
    if slot.database != cursor.connection.info.dbname:
        raise SyncError(
            f"the source {contract.system}: the slot {slot.name} belongs to {slot.database or 'a physical standby'}; drop it there or "
            "rename the system"
        )
    try:
        cursor.execute("select pg_drop_replication_slot(%s)", (slot.name,))
    except errors.ObjectInUse as error:
        raise SyncError(
            f"the source {contract.system}: process {slot.active_pid} uses the slot {slot.name}, which holds back "
            f"{size(slot.retained_bytes)} of log; wait for the sync to end and repeat"
        ) from error
    return True


@contextmanager
def _asking_the_owner(cursor: Cursor, contract: SystemContract, statements: list[sql.Composable]) -> Iterator[None]:
    """Turn a missing right into what its owner can run instead: these statements, and the right to use slots."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        cursor.execute("select current_user, rolreplication or rolsuper from pg_catalog.pg_roles where rolname = current_user")
        role, may_replicate = one_row(cursor)
        if not may_replicate:
            statements = [*statements, sql.SQL("alter role {} replication").format(sql.Identifier(role))]
        listed = "".join(f"\n  {statement.as_string(cursor)};" for statement in statements)
        cause = error.diag.message_primary
        raise AccessDenied(f"the source {contract.system}: {cause}; let the owner of its tables run this and repeat:{listed}") from error
