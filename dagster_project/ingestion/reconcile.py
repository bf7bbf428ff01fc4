"""Reconciliation: comparing all values of a table with its copy, finding the rows that differ, logging and repairing them.

Belongs here: which rows differ, and `ops.repairs`. Does not belong here: when it runs (`defs.automation`), and the snapshot, which is the
sync's own: it compares what the sync has just made equal, so whatever differs is a fault.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass

from psycopg2 import sql

from dagster_project.contracts import raw_columns
from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion import apply, buckets
from dagster_project.ingestion.candidates import Candidates
from dagster_project.ingestion.table_load import TableLoad


@dataclass(frozen=True)
class Reconcile:
    """What to reconcile after a sync.

    Attributes:
        tables: Which tables; all of them if empty.
        is_repairing: Whether differing rows are repaired, or only logged.
    """

    tables: Collection[str] = ()
    is_repairing: bool = False

    def includes(self, table: str) -> bool:
        """Whether a table is to be compared."""
        return not self.tables or table in self.tables


@dataclass(frozen=True)
class Reconciliation:
    """What the comparison of one table found.

    Attributes:
        table: Its name.
        rows_compared: Live rows that were compared.
        lost: Rows that raw lacked.
        extra: Rows that the source did not have.
        stale: Rows with other values.
        is_repaired: Whether differing rows were repaired.
        rows_read: Rows (digests and rows of differing buckets) that came from the source.
        bytes_read: Their size on the way.
        seconds: Time taken.
    """

    table: str
    rows_compared: int
    lost: int
    extra: int
    stale: int
    is_repaired: bool
    rows_read: int
    bytes_read: int
    seconds: float

    @property
    def differing(self) -> int:
        """Rows that differed."""
        return self.lost + self.extra + self.stale


def reconcile(load: TableLoad, is_repairing: bool) -> Reconciliation:
    """Compare one table at the sync's snapshot; log the rows that differ and, if asked to, repair them."""
    started = time.monotonic()
    rows = load.live_rows
    comparison = buckets.compare(load.source, load.writing, load.table, rows=rows, columns=load.table.columns)
    counts, copied = {"lost": 0, "extra": 0, "stale": 0}, comparison.copied
    if comparison.buckets:
        copied += load.read(comparison.differing)
        counts.update(_log_differing(load, comparison.differing, is_repairing))
        if is_repairing:
            load.make_equal(comparison.differing)
    if is_repairing or not comparison.buckets:
        # What raw lacked or had too many was never counted, be it repaired now or by changes that came for it.
        load.live_rows = comparison.source_rows
    return Reconciliation(
        load.table.name,
        rows_compared=rows,
        **counts,
        is_repaired=is_repairing,
        rows_read=copied.rows,
        bytes_read=copied.bytes,
        seconds=round(time.monotonic() - started, 3),
    )


def _log_differing(load: TableLoad, differing: Candidates, is_repairing: bool) -> dict[str, int]:
    table, scope = load.table, differing.scope or sql.SQL("true")
    live = sql.SQL("(select * from {} as raw where raw.{} and {})").format(table.raw, sql.SQL(raw_columns.IS_LIVE), scope)
    rows = _differing_rows(table, live) if table.key else _differing_copies(table, live)
    load.writing.execute(
        sql.SQL(
            """
            with differing as ({rows}),

            logged as (
                insert into ops.repairs (batch_id, system, table_name, key, difference, is_repaired)
                select {batch_id}, {system}, {table}, key, difference, {is_repaired} from differing
                returning difference
            )

            select difference, count(*) from logged group by difference
            """
        ).format(
            rows=rows,
            batch_id=sql.Literal(load.batch.batch_id),
            system=sql.Literal(table.system),
            table=sql.Literal(table.name),
            is_repaired=sql.Literal(is_repairing),
        )
    )
    return dict(load.writing.fetchall())


def _differing_rows(table: BoundTable, live: sql.Composable) -> sql.Composable:
    def row(alias: str) -> sql.Composable:
        return sql.SQL("row({})::record").format(sql.SQL(", ").join(sql.Identifier(alias, column) for column in table.columns))

    return sql.SQL(
        """
        select
            jsonb_build_object({key}) as key,
            case when raw.{batch_id} is null then 'lost' when incoming._is_there is null then 'extra' else 'stale' end as difference
        from {live} as raw
        full join (select *, true as _is_there from {incoming}) as incoming on {same_key}
        where raw.{batch_id} is null or incoming._is_there is null or {raw_row} *<> {incoming_row}
        """
    ).format(
        key=sql.SQL(", ").join(
            sql.SQL("{}, coalesce(raw.{}, incoming.{})").format(sql.Literal(c), *[sql.Identifier(c)] * 2) for c in table.key
        ),
        batch_id=sql.Identifier(raw_columns.BATCH_ID),
        live=live,
        incoming=apply.INCOMING,
        same_key=sql.SQL(" and ").join(sql.SQL("incoming.{0} = raw.{0}").format(sql.Identifier(column)) for column in table.key),
        raw_row=row("raw"),
        incoming_row=row("incoming"),
    )


def _differing_copies(table: BoundTable, live: sql.Composable) -> sql.Composable:
    """A table without a key: each of several equal rows counts."""
    numbered = sql.SQL("(select row({0})::text as row, row_number() over (partition by row({0})::text) as copy from {1} as t)")
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    return sql.SQL(
        """
        select
            jsonb_build_object('md5 of the row', md5(row), 'copy', copy) as key,
            case when raw.is_there is null then 'lost' else 'extra' end as difference
        from (select *, true as is_there from {live}) as raw
        full join (select *, true as is_there from {incoming}) as incoming using (row, copy)
        where raw.is_there is null or incoming.is_there is null
        """
    ).format(
        live=sql.SQL("{} as n").format(numbered.format(columns, live)),
        incoming=sql.SQL("{} as n").format(numbered.format(columns, apply.INCOMING)),
    )
