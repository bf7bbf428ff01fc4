"""What `runmart source status` shows: per system, how its changes are found and what its slot costs the source.

Belongs here: asking the sources. Does not belong here: drawing (`source_cli`), and making and dropping slots (`ingestion.slot`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import shared_contracts
from dagster_project.errors import RunmartError
from dagster_project.ingestion import publication
from dagster_project.ingestion.errors import from_driver
from dagster_project.ingestion.slot import Slot, limit_bytes, read_slot, slot_name
from dagster_project.ingestion.source import connect
from dagster_project.postgres.cursors import one_row
from dagster_project.resources.databases import Databases
from dagster_project.words import size

UNPUBLISHED = "it is not published"

_NEARLY = 0.8

# In megabytes; without a limit it is -1.
_KEPT = "select nullif(setting::bigint, -1) * 1048576 from pg_catalog.pg_settings where name = 'max_slot_wal_keep_size'"


@dataclass(frozen=True)
class CaptureStatus:
    """How the changes of one system are found.

    Attributes:
        system: The system.
        capture: What its contract says.
        slot: Its replication slot; None if it has none.
        limit_bytes: How much log the slot may hold back before Runmart drops it.
        server_limit_bytes: How much the server keeps for a slot before it gives it up by itself; None for no limit.
        tables: For each declared table of a system in change data capture, why it is not streamed; None if it is.
        warnings: What is not as it should be, each with the way out.
    """

    system: str
    capture: str
    slot: Slot | None
    limit_bytes: int
    server_limit_bytes: int | None
    tables: Mapping[str, str | None]
    warnings: tuple[str, ...]


def capture_statuses(databases: Databases, systems: Sequence[str]) -> list[CaptureStatus]:
    """The state of systems; a source that cannot be asked says so in its warnings."""
    contracts = shared_contracts()
    return [_status(contracts[system], databases) for system in systems]


def _status(contract: SystemContract, databases: Databases) -> CaptureStatus:
    try:
        with connect(contract, databases.url(contract.system)) as connection, connection.cursor() as cursor:
            return capture_status(cursor, contract)
    except psycopg2.Error as error:
        cause: RunmartError = from_driver(error, f"the source {contract.system}")
    except RunmartError as error:
        cause = error
    return CaptureStatus(contract.system, contract.capture, None, limit_bytes(contract), None, {}, (str(cause),))


def capture_status(cursor: Cursor, contract: SystemContract) -> CaptureStatus:
    """The state of one system."""
    name = slot_name(contract.system)
    slot = read_slot(cursor, name)
    cursor.execute(_KEPT)
    (server_limit,) = one_row(cursor)
    members = publication.members(cursor, contract, name)
    reasons = publication.streamable(cursor, contract)
    tables: dict[str, str | None] = {}
    if contract.capture == "cdc":
        published = publication.published(cursor, contract, name)
        why_none = None if slot and slot.is_usable else "there is no slot that can be read"
        tables = {table: reason or why_none or (None if table in published else UNPUBLISHED) for table, reason in reasons.items()}
    broken = [table for table in members if reasons[table]]
    status = CaptureStatus(contract.system, contract.capture, slot, limit_bytes(contract), server_limit, tables, ())
    return replace(status, warnings=tuple(_warnings(status, bool(members), broken)))


def _warnings(status: CaptureStatus, is_published: bool, broken: Sequence[str]) -> Iterator[str]:
    system, slot = status.system, status.slot
    enable, disable = f"`runmart source enable-cdc {system}`", f"`runmart source disable-cdc {system}`"
    if broken:
        yield f"the source refuses to update rows of {', '.join(broken)}, published without their replica identity: run {enable}"
    if status.capture == "horizon":
        if slot or is_published:
            yield f"slot and publication are left over, the contract says `capture: horizon`: run {disable}"
        return
    if slot is None:
        yield f"there is no slot, changes are found by the horizon: run {enable}"
    elif not slot.is_usable:
        yield f"the slot {slot.name} cannot be read (log {slot.wal_status}, database {slot.database}): run {enable}"
    elif slot.retained_bytes > _NEARLY * status.limit_bytes:
        yield f"the slot holds back {size(slot.retained_bytes)} of log and is dropped at {size(status.limit_bytes)}: let syncs run"
    if slot and status.server_limit_bytes is None:
        yield "the source keeps log for a slot without limit when Runmart is not running to watch it: set max_slot_wal_keep_size there"
    if slot and any(reason == UNPUBLISHED for reason in status.tables.values()):
        yield f"tables that could be streamed are not: run {enable}"
