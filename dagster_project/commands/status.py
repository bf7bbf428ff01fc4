"""What `runmart status` shows: per system and table, how far raw is behind its source, what the last sync did, how the checks stand.

Belongs here: reading the operational tables, and asking each source where it is now. Does not belong here: drawing (`cli`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import NamedTupleCursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import load_contracts, shared_contracts
from dagster_project.ingestion.errors import from_driver
from dagster_project.ingestion.watermark import read_standing, standing_lines
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.driver_errors import first_line
from dagster_project.resources.databases import INSTANCE, Databases
from dagster_project.resources.tenants import known_tenant, source_of, tenant_warehouse
from dagster_project.warehouse import Warehouse

_SOURCE_TIMEOUT_SECONDS = 3

_SYSTEM = """
select
    state.batch_id,
    state.committed_at,
    extract(epoch from clock_timestamp() - state.committed_at)::double precision as age_seconds
from ops.sync_state as state
where state.system = %s
"""

_TABLES = """
select
    state.table_name,
    state.live_rows,
    state.batch_id,
    state.is_loading,
    state.snapshot_at,
    pg_snapshot_xmax(state.snapshot::pg_snapshot)::text::bigint as snapshot_xmax,
    state.system_identifier,
    coalesce(sync.found_by, 'first load') as found_by,
    sync.rows_read,
    sync.seconds,
    coalesce(checks.passed, 0) as checks_passed,
    coalesce(checks.failed, 0) as checks_failed
from ops.table_state as state
left join ops.table_syncs as sync using (system, batch_id, table_name)
left join lateral (
    select count(*) filter (where latest.is_success) as passed, count(*) filter (where not latest.is_success) as failed
    from (
        select distinct on (result.expectation) result.is_success
        from quality.validation_results as result
        where result.asset_key = state.system || '/' || state.table_name
        order by result.expectation asc, result.validated_at desc
    ) as latest
) as checks on true
where state.system = %s
order by state.table_name
"""

_RECONCILE = """
select
    extract(epoch from clock_timestamp() - batch.committed_at)::double precision as age_seconds,
    count(repair.repair_id) as rows_differing,
    count(repair.repair_id) filter (where not repair.is_repaired) as rows_left
from ops.batches as batch
left join ops.repairs as repair using (batch_id)
where batch.system = %(system)s and batch.run_id = any(%(runs)s) and batch.committed_at is not null
group by batch.batch_id
order by batch.batch_id desc
limit 1
"""

# Dagster's own table, read with SQL: importing Dagster to ask it for the same takes seconds.
_HAS_RUNS = "select from pg_class where oid = to_regclass('public.runs')"
_RUNS = "select run_id from public.runs where pipeline_name = %(job)s order by id desc limit 100"

_NOW = """
select
    (select system_identifier::text from pg_control_system()),
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
    clock_timestamp()
"""


@dataclass(frozen=True)
class TableStatus:
    """One raw table.

    Attributes:
        table: Its name.
        rows: Live rows.
        batch_id: The batch that it stands at.
        is_loading: Copied, but its system's first sync has not ended: nobody sees it yet.
        behind_seconds: Age of the source snapshot that it equals, by the source's clock; None if the source cannot tell.
        behind_transactions: Transactions that the source's server has begun since, in any of its databases; None if it cannot tell.
        found_by: How its last sync found rows that may differ.
        rows_read: Rows that this sync read; None while it is loading.
        seconds: Time that it took.
        checks_passed: Number of its checks that passed when they last ran.
        checks_failed: Number of those that did not.
    """

    table: str
    rows: int
    batch_id: int
    is_loading: bool
    behind_seconds: float | None
    behind_transactions: int | None
    found_by: str
    rows_read: int | None
    seconds: float | None
    checks_passed: int
    checks_failed: int


@dataclass(frozen=True)
class StandingStatus:
    """A table that stands still.

    Attributes:
        table: Its name.
        since: When a sync first left it behind.
        failing: The failing tables that it is tied to, itself among them or not.
        reason: What it fails for; None if only tables that it is tied to do.
        line: What a person must know of a table that fails, in words; None of one that is only tied to such.
    """

    table: str
    since: datetime
    failing: tuple[str, ...]
    reason: str | None
    line: str | None


@dataclass(frozen=True)
class LastReconcile:
    """The last comparison of whole tables with the source: its age, the rows that differed, those of them that were not repaired."""

    age_seconds: float
    rows_differing: int
    rows_left: int


@dataclass(frozen=True)
class SystemStatus:
    """One system.

    Attributes:
        system: Its name.
        capture: How its contract says that changes are found.
        batch_id: Its last committed batch; None before its first sync has ended.
        synced_at: When that was committed.
        age_seconds: How long ago that was.
        source_note: Why the source cannot tell how far it is ahead; None if it can.
        last_reconcile: None if there was none.
        tables: Its tables by name.
        standing: Those that the last sync could not bring to its snapshot; those that fail come first.
    """

    system: str
    capture: str
    batch_id: int | None
    synced_at: datetime | None
    age_seconds: float | None
    source_note: str | None
    last_reconcile: LastReconcile | None
    tables: tuple[TableStatus, ...]
    standing: tuple[StandingStatus, ...]


@dataclass(frozen=True)
class _Source:
    """Where a source is now: the next transaction that it will begin, and its clock."""

    xmax: int
    now: datetime


def system_statuses(databases: Databases) -> list[SystemStatus]:
    """Every system of the shared warehouse that a sync has at least begun to load, by name.

    Raises:
        SyncError: The warehouse or the Dagster instance cannot be read; the message says why. A source that cannot be reached is noted.
    """
    warehouse = databases.warehouse()
    found = (_system_status(databases, warehouse, contract, databases.url(system)) for system, contract in shared_contracts().items())
    return [status for status in found if status is not None]


def tenant_status(databases: Databases, system: str, name: str) -> SystemStatus | None:
    """The same of a system in the warehouse of one tenant; None before a sync has begun to load it.

    Raises:
        ConfigurationError: There is no such tenant.
        SyncError: Its warehouse or the Dagster instance cannot be read.
    """
    source = source_of(databases, system, known_tenant(databases, system, name))
    return _system_status(databases, tenant_warehouse(databases, system, name), load_contracts()[system], source)


def _system_status(databases: Databases, warehouse: Warehouse, contract: SystemContract, source_url: str) -> SystemStatus | None:
    system = contract.system
    with _asking(warehouse.url, "the warehouse") as cursor:
        standing = read_standing(cursor, system)
        tables = _rows(cursor, _TABLES, (system,))
        committed = _rows(cursor, _SYSTEM, (system,))
        if not tables and not standing:
            return None
        reconciled = _rows(cursor, _RECONCILE, {"system": system, "runs": _reconciling_runs(databases, warehouse, system)})
    lines = standing_lines(standing)
    source = _source(source_url, {row.system_identifier for row in tables})
    return SystemStatus(
        system=system,
        capture=contract.capture,
        batch_id=committed[0].batch_id if committed else None,
        synced_at=committed[0].committed_at if committed else None,
        age_seconds=committed[0].age_seconds if committed else None,
        source_note=source if isinstance(source, str) else None,
        last_reconcile=LastReconcile(*reconciled[0]) if reconciled else None,
        tables=tuple(_table_status(row, None if isinstance(source, str) else source) for row in tables),
        standing=tuple(StandingStatus(table, one.since, one.failing, one.reason, lines.get(table)) for table, one in standing.items()),
    )


def _reconciling_runs(databases: Databases, warehouse: Warehouse, system: str) -> list[str]:
    """The last runs that have reconciled a system."""
    with _asking(databases.url(INSTANCE), "the Dagster instance") as cursor:
        job = warehouse.namespace.label(f"reconcile_{system}")
        return [row.run_id for row in _rows(cursor, _RUNS, {"job": job})] if _rows(cursor, _HAS_RUNS, ()) else []


def _rows(cursor: Cursor, query: str, parameters: Sequence[object] | Mapping[str, object]) -> list[Any]:
    """Rows of a query, with their columns as attributes."""
    cursor.execute(query, parameters)
    return cursor.fetchall()


@contextmanager
def _asking(url: str, name: str) -> Iterator[Cursor]:
    try:
        with closing(psycopg2.connect(url, cursor_factory=NamedTupleCursor)) as connection, connection.cursor() as cursor:
            yield cursor
    except psycopg2.Error as error:
        raise from_driver(error, name) from error


def _table_status(row: Any, source: _Source | None) -> TableStatus:  # noqa: ANN401
    return TableStatus(
        table=row.table_name,
        rows=row.live_rows,
        batch_id=row.batch_id,
        is_loading=row.is_loading,
        behind_seconds=max(0.0, (source.now - row.snapshot_at).total_seconds()) if source else None,
        behind_transactions=source.xmax - row.snapshot_xmax if source else None,
        found_by=row.found_by,
        rows_read=row.rows_read,
        seconds=row.seconds,
        checks_passed=row.checks_passed,
        checks_failed=row.checks_failed,
    )


def _source(url: str, synced: set[str]) -> _Source | str:
    """Ask a source where it is, in one short connection; a line that says why if it cannot tell.

    Args:
        url: libpq URL of the source.
        synced: Identities of the servers that the system's tables were read from.
    """
    try:
        with closing(psycopg2.connect(url, connect_timeout=_SOURCE_TIMEOUT_SECONDS)) as connection, connection.cursor() as cursor:
            cursor.execute("set statement_timeout = %s", (_SOURCE_TIMEOUT_SECONDS * 1000,))
            cursor.execute(_NOW)
            system_identifier, xmax, now = one_row(cursor)
    except psycopg2.Error as error:
        return f"it cannot be asked: {first_line(error)}"
    return _Source(xmax, now) if synced == {system_identifier} else "it is another server than the one that was synced"
