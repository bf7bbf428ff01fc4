"""Capture: which source rows are candidates, given how far a table has been read.

Belongs here: choosing between everything, what the horizon shows and what the replication slot hints at, table by table. Does not belong
here: reading and applying rows, which is the same for all of them (`sync`). Change data capture only names keys; the rows are read again at
the snapshot. Whatever the slot cannot tell is found by the horizon, without a reload.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion import publication, slot
from dagster_project.ingestion.candidates import COMPARISON, EVERYTHING, NOTHING, Candidates, with_keys, written_since
from dagster_project.ingestion.catalog import SourceTable
from dagster_project.ingestion.errors import SyncError
from dagster_project.ingestion.source import SourceSnapshot, connect, lsn_number, wait_until_durable
from dagster_project.ingestion.watermark import TableState, Watermark
from dagster_project.postgres.driver_errors import first_line

# A row's age in transactions is a signed number of 32 bits; ten million stay free for those that begin while we read.
_FARTHEST_HORIZON = 2**31 - 10_000_000

# Beyond these the horizon is cheaper than looking at every message.
_MOST_KEYS = 500_000
_MOST_LOG_BYTES = 2**30

_OTHERS_PEEK_SECONDS = 5.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Stream:
    """What the replication slot tells at a snapshot.

    Attributes:
        keys: Keys that were written since the last sync, for each table whose changes the slot is known to hold in full.
        publications: Fingerprint of what streams each table, as of the snapshot.
        is_continuous: The slot goes on where it was left: nobody moved it or made it anew.
        acknowledged: How far the slot may be acknowledged once this sync is committed; None if it cannot be read from next time.
        warnings: What a person should know.
    """

    keys: Mapping[str, set[tuple[str, ...]]] = field(default_factory=dict)
    publications: Mapping[str, str] = field(default_factory=dict)
    is_continuous: bool = False
    acknowledged: str | None = None
    warnings: tuple[str, ...] = ()


def read_stream(contract: SystemContract, url: str, source: SourceSnapshot, before: Watermark) -> Stream:
    """Peek at the slot of a system, if it has one that can be relied on."""
    if contract.capture != "cdc":
        return Stream()
    if source.is_standby:
        return Stream(warnings=(f"{contract.system} is read from a standby, which has no slot of ours: changes are found by the horizon",))
    with source.reading() as cursor:
        reasons, published = (
            publication.streamable(cursor, contract),
            publication.published(cursor, contract, slot.slot_name(contract.system)),
        )
    publications = {table: published[table] for table, reason in reasons.items() if reason is None and table in published}
    with connect(contract, url) as connection, connection.cursor() as cursor:
        try:
            dropped = slot.drop_if_over(cursor, contract, slot.limit_bytes(contract))
        except SyncError as error:
            return Stream(warnings=(str(error),))
        if dropped:
            held_back = f"held back {dropped.retained_bytes / 10**9:.1f} GB of the source's log, more than slot_gigabytes allows"
            return _without_slot(contract, f"it {held_back}, and was dropped")
        found = slot.read_slot(cursor, slot.slot_name(contract.system))
        if found is None or not found.is_usable:
            return _without_slot(contract, "there is none" if found is None else "it was invalidated")
        return _peek(cursor, contract, source, before, found=found, publications=publications)


def _without_slot(contract: SystemContract, why: str) -> Stream:
    return Stream(
        warnings=(
            f"{contract.system} has no replication slot to read from ({why}): changes are found by the horizon until "
            f"`runmart source enable-cdc {contract.system}`",
        )
    )


def _peek(
    cursor: Cursor,
    contract: SystemContract,
    source: SourceSnapshot,
    before: Watermark,
    *,
    found: slot.Slot,
    publications: Mapping[str, str],
) -> Stream:
    is_continuous = before.acknowledged is not None and lsn_number(found.confirmed) <= lsn_number(before.acknowledged)
    start = before.acknowledged if is_continuous else found.confirmed
    if start is None or lsn_number(start) > lsn_number(source.position.lsn):
        # Somebody moved it, or it was made, after the snapshot: what lies between would be missing.
        return Stream(publications=publications)
    acknowledged = max(start, _surely_visible(source, before) or start, key=lsn_number)
    if not is_continuous or lsn_number(source.end_lsn) - lsn_number(found.confirmed) > _MOST_LOG_BYTES:
        return Stream(publications=publications, is_continuous=is_continuous, acknowledged=acknowledged)
    wait_until_durable(cursor, source.end_lsn)
    try:
        changes = _peek_alone(cursor, contract, source.end_lsn)
        peeked = slot.read_slot(cursor, found.name)
    except psycopg2.Error as error:
        warning = f"the replication slot of {contract.system} could not be read ({first_line(error)}): changes are found by the horizon"
        return Stream(publications=publications, is_continuous=is_continuous, acknowledged=acknowledged, warnings=(warning,))
    if peeked is None or lsn_number(peeked.confirmed) > lsn_number(start):
        # Somebody moved it, or made it anew, after it was found: the changes that it then passed over are not among these.
        return Stream(publications=publications)
    usable = {table for table in publications if table not in changes.unknown and _is_streamed(table, source, before, publications)}
    prefix = slot.acknowledgeable(changes, source.position.snapshot, source.end_lsn)
    return Stream(
        keys={table: changes.keys.get(table, set()) for table in usable},
        publications=publications,
        is_continuous=is_continuous,
        acknowledged=max(acknowledged, prefix or acknowledged, key=lsn_number),
    )


def _peek_alone(cursor: Cursor, contract: SystemContract, upto: str) -> slot.Changes:
    """Peek at a slot, once nobody else does: a look for news (`news`) takes a moment."""
    deadline = time.monotonic() + _OTHERS_PEEK_SECONDS
    while True:
        try:
            return slot.peek(cursor, contract, upto, _MOST_KEYS)
        except errors.ObjectInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)


def _surely_visible(source: SourceSnapshot, before: Watermark) -> str | None:
    """A position up to which the slot may be acknowledged without looking at it: what was under way at the last sync has ended since."""
    for state in before.tables.values():
        if state.batch_id == before.batch_id and source.position.is_of_same_history(state.position):
            return state.position.lsn if source.position.xmin >= state.position.next_transaction else None
    return None


def _is_streamed(table: str, source: SourceSnapshot, before: Watermark, publications: Mapping[str, str]) -> bool:
    """Whether every change since the table's last sync was published: by the same publication, no transaction of before it being left."""
    state = before.tables.get(table)
    return (
        state is not None
        and not state.is_loading
        and state.batch_id == before.batch_id
        and state.publication == publications[table]
        and state.published_from is not None
        and state.position.xmin >= state.published_from
        and dict(state.leaves) == dict(source.tables[table].leaves)
    )


def published_from(source: SourceSnapshot, state: TableState | None, stream: Stream, table: str) -> int | None:
    """The first transaction of a table that surely is in the stream: it began when publication and slot were already there.

    One that was under way may have written before its table was published, or have ended, not yet visible, before the slot's beginning.
    """
    publication = stream.publications.get(table)
    if publication is None:
        return None
    if state is not None and state.publication == publication and stream.is_continuous:
        return state.published_from
    return source.position.next_transaction


def candidates(table: BoundTable, source: SourceSnapshot, state: TableState | None, stream: Stream) -> Candidates:
    """The first candidates of one table at a snapshot.

    Those that the horizon finds are without deleted rows: whoever reads them compares the number of rows afterwards.

    Args:
        table: The table.
        source: The snapshot.
        state: What raw is known to hold; None if nothing is known.
        stream: What the replication slot tells.
    """
    described = source.tables[table.name]
    if state is None or not can_go_on(source, table.name, state):
        return EVERYTHING
    if source.position.started_at != state.position.started_at:
        return COMPARISON
    if source.position.snapshot == state.position.snapshot and described.is_logged and not source.is_standby:
        return NOTHING
    if table.name in stream.keys:
        keys = stream.keys[table.name]
        return with_keys(table, described, keys) if keys else NOTHING
    if not described.has_transactions:
        return EVERYTHING
    return written_since(described, state.position, source.position, state.leaves)


def has_new_shape(table: BoundTable, described: SourceTable, state: TableState | None, kept: Mapping[str, str]) -> bool:
    """Whether a raw table has other columns or types than it should have, or holds values that were stored otherwise.

    Args:
        table: The table.
        described: What it looks like at the source.
        state: What raw is known to hold; None if nothing is known.
        kept: Types of raw's columns, as `raw_tables.types` has them.
    """
    wanted = {column: described.columns[column].raw_type for column in table.columns}
    return state is None or state.shape != described.shape or kept != wanted


def can_go_on(source: SourceSnapshot, table: str, state: TableState) -> bool:
    """Whether what raw holds of a table can be brought up to date by reading what changed."""
    return (
        source.position.is_of_same_history(state.position)
        and source.tables[table].shape == state.shape
        and source.position.xmax - state.position.xmin < _FARTHEST_HORIZON
    )
