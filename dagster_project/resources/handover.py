"""Handing over what a tenant has published: its numbers come to a database that the shared warehouse reads as a source.

Belongs here: bringing the rows of one tenant there to those of its published marts, in one transaction. Does not belong here: which columns
may leave a tenant (the contract of the system says it), when this is done (`defs.handover`), and a tenant's removal.

It costs what has changed. A row of a mart names the refresh that last wrote it, so rows of earlier refreshes are not read. A refresh says
how many rows it has inserted and deleted, so keys are compared only where some have gone.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from tempfile import SpooledTemporaryFile

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import HandedOver, SystemContract
from dagster_project.contracts.loading import load_contracts
from dagster_project.errors import RunmartError
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.driver_errors import first_line
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.warehouse import Warehouse

# What a hand-over holds in memory of what it carries; more goes to disk.
_IN_MEMORY = 16 * 1024 * 1024

# Two at once would each write what the other has.
_TAKE_TURNS = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"

_LAST = "select refresh_id from ops.refreshes order by refresh_id desc limit 1"

# Of a warehouse that was made anew, refreshes have the numbers of earlier ones, and are later.
_IS_KNOWN = "select exists (select from ops.refreshes where refresh_id = %s and published_at <= %s)"

# What later refreshes have written into a mart: when they started, which its rows say, and by how many rows it has grown.
_SINCE = """
select coalesce(array_agg(started_at), '{}'), coalesce(sum((marts -> %(mart)s ->> 'inserted')::bigint), 0)::bigint
    - coalesce(sum((marts -> %(mart)s ->> 'deleted')::bigint), 0)::bigint
from ops.refreshes
where refresh_id > %(refresh_id)s and marts ? %(mart)s
"""

# A row that was inserted, not changed, has never been locked by anybody.
_WRITE = """
with written as (
    insert into {table} as old ({columns})
    select {columns} from {taken}
    on conflict ({key}) do update set {changes} where ({old}) is distinct from ({new})
    returning xmax = 0 as is_new
)
select count(*), count(*) filter (where is_new) from written
"""


class HandoverError(RunmartError):
    """Nothing was handed over; the message names the tenant and the cause."""


@dataclass(frozen=True)
class Rows:
    """What became of the rows of one table.

    Attributes:
        written: Rows that came or changed.
        deleted: Rows that went.
    """

    written: int
    deleted: int


@dataclass(frozen=True)
class Handover:
    """What was handed over.

    Attributes:
        refresh_id: The last refresh of the tenant's warehouse that it reflects.
        rows: By table.
    """

    refresh_id: int
    rows: Mapping[str, Rows]


def receiver_of(system: str) -> SystemContract | None:
    """The system that has what tenants of another one hand over, if they hand over anything."""
    receivers = (contract for contract in load_contracts().values() if contract.handed_over and contract.handed_over.tenants_of == system)
    return next(receivers, None)


def hand_over(contract: SystemContract, warehouse: Warehouse, url: str) -> Handover | None:
    """Bring what a system has of a tenant to what the tenant has published; None if it is so, or nothing is published yet.

    Args:
        contract: Of the system that has it.
        warehouse: Of the tenant.
        url: libpq URL of the system's database.

    Raises:
        HandoverError: Nothing was written.
    """
    handed_over, tenant = contract.handed_over, warehouse.tenant
    if handed_over is None or tenant is None:
        raise ValueError("tenants hand over, to systems that say so")
    with (
        _translated(tenant),
        closing(psycopg2.connect(url, application_name="runmart")) as connection,
        connection,
        connection.cursor() as there,
    ):
        there.execute(_TAKE_TURNS, (tenant,))
        with warehouse.looking(TRANSFORM) as here:
            return _Handing(contract, handed_over, tenant, here, there).hand_over()


def handed_over_by_tenant(contract: SystemContract, url: str) -> dict[str, int]:
    """By tenant that has handed over anything, the last refresh that is reflected.

    Raises:
        HandoverError: The database of the system cannot be asked.
    """
    handed_over = contract.handed_over
    if handed_over is None:
        return {}
    query = sql.SQL("select {}, refresh_id from {}").format(sql.Identifier(handed_over.tenant), contract.table(handed_over.told_in).source)
    with _translated("any tenant"), closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query)
        return dict(cursor.fetchall())


def last_refresh_of(warehouse: Warehouse) -> int | None:
    """The last refresh that has published anything; None before the first one."""
    with warehouse.looking(TRANSFORM) as cursor:
        return _last_refresh(cursor)


@contextmanager
def _translated(tenant: str) -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as error:
        raise HandoverError(f"nothing was handed over of {tenant}: {first_line(error)}") from error


def _last_refresh(cursor: Cursor) -> int | None:
    cursor.execute(_LAST)
    row = cursor.fetchone()
    return row[0] if row else None


@dataclass(frozen=True)
class _Handing:
    """One hand-over, in a transaction on each side.

    Attributes:
        contract: Of the system that gets the rows.
        handed_over: What it says of them.
        tenant: Whose they are.
        here: In one snapshot of the tenant's warehouse.
        there: In the database of the system.
    """

    contract: SystemContract
    handed_over: HandedOver
    tenant: str
    here: Cursor
    there: Cursor

    def hand_over(self) -> Handover | None:
        """See the function of this name."""
        last, before = _last_refresh(self.here), self._before()
        if last is None or last == before or not self._are_published():
            return None
        taken = {table: self._take(table, mart, before) for table, mart in self.handed_over.marts.items()}
        written = {table: self._write(table) for table in taken}
        # What refers to others goes before these.
        deleted = {table: self._delete(table) for table in reversed(taken) if taken[table] is None or taken[table] != written[table].grown}
        self._tell(last)
        return Handover(last, {table: Rows(written[table].rows, deleted.get(table, 0)) for table in taken})

    def _before(self) -> int | None:
        """The refresh up to which the tenant has handed over, if its warehouse is still the one that was handed over."""
        told_in = self.contract.table(self.handed_over.told_in).source
        query = sql.SQL("select refresh_id, handed_over_at from {} where {} = %s")
        self.there.execute(query.format(told_in, sql.Identifier(self.handed_over.tenant)), (self.tenant,))
        row: tuple[int, datetime] | None = self.there.fetchone()
        if row is None:
            return None
        self.here.execute(_IS_KNOWN, row)
        return row[0] if one_row(self.here)[0] else None

    def _are_published(self) -> bool:
        """Whether the tenant has all marts; a first refresh may hold back some."""
        names = [f"{PUBLISHED}.{mart}" for mart in self.handed_over.marts.values()]
        self.here.execute("select bool_and(to_regclass(name) is not null) from unnest(%s) as name", (names,))
        return bool(one_row(self.here)[0])

    def _take(self, table: str, mart: str, before: int | None) -> int | None:
        """Put the rows of a mart that are new since a refresh, or all, into a temporary table; by how many rows it has grown, if known."""
        moments, grown = None, None
        if before is not None:
            self.here.execute(_SINCE, {"mart": mart, "refresh_id": before})
            moments, grown = one_row(self.here)
        is_new = sql.SQL("true") if moments is None else sql.SQL("refreshed_at = any({}::timestamptz[])").format(sql.Literal(moments))
        source = sql.Identifier(PUBLISHED, mart)
        self._carry(table, _taken(table), self._columns(table), source, is_new)
        return grown

    def _carry(self, table: str, into: sql.Identifier, columns: list[str], source: sql.Identifier, condition: sql.Composable) -> None:
        """Copy columns of rows of a mart into a new temporary table that has those of a table."""
        listed = _listed(columns)
        tenant, own = sql.Identifier(self.handed_over.tenant), self.contract.table(table).source
        self.there.execute(
            sql.SQL("create temporary table {} on commit drop as select {}, {} from {} with no data").format(into, tenant, listed, own)
        )
        query = sql.SQL("copy (select {}, {} from {} where {}) to stdout").format(sql.Literal(self.tenant), listed, source, condition)
        with SpooledTemporaryFile(_IN_MEMORY) as rows:
            self.here.copy_expert(query, rows)
            rows.seek(0)
            self.there.copy_expert(sql.SQL("copy {} from stdin").format(into), rows)
        self.there.execute(sql.SQL("analyze {}").format(into))

    def _write(self, table: str) -> "_Written":
        """Insert the taken rows that are new, and change those that differ."""
        declared, columns = self.contract.table(table), [self.handed_over.tenant, *self._columns(table)]
        values = [column for column in columns if column not in declared.key]
        query = sql.SQL(_WRITE).format(
            table=declared.source,
            columns=_listed(columns),
            taken=_taken(table),
            key=_listed(declared.key),
            changes=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in values),
            old=sql.SQL(", ").join(sql.Identifier("old", column) for column in values),
            new=sql.SQL(", ").join(sql.Identifier("excluded", column) for column in values),
        )
        self.there.execute(query)
        return _Written(*one_row(self.there))

    def _delete(self, table: str) -> int:
        """Delete the rows whose keys the mart does not have; how many these were."""
        declared, kept = self.contract.table(table), sql.Identifier(f"kept_{table}")
        key = [column for column in declared.key if column != self.handed_over.tenant]
        self._carry(table, kept, key, sql.Identifier(PUBLISHED, self.handed_over.marts[table]), sql.SQL("true"))
        query = sql.SQL("delete from {} as old where {} = {} and not exists (select from {} as kept where {})").format(
            declared.source,
            sql.Identifier("old", self.handed_over.tenant),
            sql.Literal(self.tenant),
            kept,
            sql.SQL(" and ").join(sql.SQL("kept.{0} = old.{0}").format(sql.Identifier(column)) for column in key),
        )
        self.there.execute(query)
        return self.there.rowcount

    def _tell(self, refresh_id: int) -> None:
        """Write down up to where the tenant has handed over."""
        tenant = sql.Identifier(self.handed_over.tenant)
        query = sql.SQL(
            "insert into {} ({}, refresh_id, handed_over_at) values (%s, %s, clock_timestamp()) "
            "on conflict ({}) do update set refresh_id = excluded.refresh_id, handed_over_at = excluded.handed_over_at"
        )
        self.there.execute(query.format(self.contract.table(self.handed_over.told_in).source, tenant, tenant), (self.tenant, refresh_id))

    def _columns(self, table: str) -> list[str]:
        """What may leave the tenant."""
        return [column for column in self.contract.tables[table].columns if column != self.handed_over.tenant]


@dataclass(frozen=True)
class _Written:
    """Rows that a statement has written.

    Attributes:
        rows: All of them.
        grown: Those that were not there before.
    """

    rows: int
    grown: int


def _taken(table: str) -> sql.Identifier:
    """The temporary table with the rows that were read."""
    return sql.Identifier(f"taken_{table}")


def _listed(columns: list[str] | tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
