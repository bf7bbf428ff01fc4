"""Applying candidate rows to a raw table.

Belongs here: the set-based statements that make raw equal the source for the rows at hand. Does not belong here: transactions; the sync
commits once for all tables. Values are compared as stored (`*<>`), so 0.0 and -0.0, or 1.0 and 1.00, count as different.
"""

from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.components.contract import SystemContract
from dagster_project.ingestion.cursors import one_row
from dagster_project.ingestion.raw_tables import raw_table
from dagster_project.ingestion.watermark import Batch

INCOMING = sql.Identifier("pg_temp", "incoming")


@dataclass(frozen=True)
class Applied:
    """Rows that changed in raw."""

    inserted: int
    updated: int
    deleted: int


def create_incoming(cursor: Cursor, contract: SystemContract, table: str) -> None:
    """An empty temporary table shaped like the declared columns of a raw table; gone at commit."""
    cursor.execute("drop table if exists pg_temp.incoming")
    cursor.execute(
        sql.SQL("create temporary table incoming on commit drop as select {} from {} with no data").format(
            _names(contract.tables[table].columns), raw_table(contract, table)
        )
    )


def apply_incoming(cursor: Cursor, contract: SystemContract, table: str, batch: Batch, is_exhaustive: bool) -> Applied:
    """Insert, update and, if every source row came in, mark as deleted."""
    cursor.execute("analyze pg_temp.incoming")
    inserted, updated = _upsert(cursor, contract, table, batch)
    deleted = _mark_deleted(cursor, contract, table, batch) if is_exhaustive else 0
    if inserted + updated + deleted:
        # What reads raw next must not plan with the statistics of an empty table; autovacuum comes too late.
        cursor.execute(sql.SQL("analyze {}").format(raw_table(contract, table)))
    return Applied(inserted, updated, deleted)


def _upsert(cursor: Cursor, contract: SystemContract, table: str, batch: Batch) -> tuple[int, int]:
    columns, key = contract.tables[table].columns, contract.tables[table].key
    assignments = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in columns if column not in key]
    statement = sql.SQL(
        """
        with written as (
            insert into {raw} as raw ({columns}, _batch_id, _synced_at)
            select {columns}, %(batch_id)s, %(synced_at)s from {incoming}
            on conflict ({key}) do update
            set {assignments}
            where raw._deleted_at is not null or row({raw_columns})::record *<> row({excluded_columns})::record
            returning raw.xmax = 0 as is_new
        )

        select count(*) filter (where is_new), count(*) filter (where not is_new) from written
        """
    ).format(
        raw=raw_table(contract, table),
        incoming=INCOMING,
        columns=_names(columns),
        key=_names(key),
        raw_columns=_names(columns, "raw"),
        excluded_columns=_names(columns, "excluded"),
        assignments=sql.SQL(", ").join(
            [*assignments, *(sql.SQL(f"{c} = excluded.{c}") for c in ("_batch_id", "_synced_at")), sql.SQL("_deleted_at = null")]
        ),
    )
    cursor.execute(statement, {"batch_id": batch.batch_id, "synced_at": batch.synced_at})
    inserted, updated = one_row(cursor)
    return inserted, updated


def _mark_deleted(cursor: Cursor, contract: SystemContract, table: str, batch: Batch) -> int:
    key = contract.tables[table].key
    same_key = sql.SQL(" and ").join(sql.SQL("incoming.{0} = raw.{0}").format(sql.Identifier(column)) for column in key)
    cursor.execute(
        sql.SQL(
            """
            update {raw} as raw
            set _deleted_at = %(synced_at)s, _synced_at = %(synced_at)s, _batch_id = %(batch_id)s
            where raw._deleted_at is null and not exists (select from {incoming} as incoming where {same_key})
            """
        ).format(raw=raw_table(contract, table), incoming=INCOMING, same_key=same_key),
        {"batch_id": batch.batch_id, "synced_at": batch.synced_at},
    )
    return cursor.rowcount


def _names(columns: tuple[str, ...], table: str | None = None) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(table, column) if table else sql.Identifier(column) for column in columns)
