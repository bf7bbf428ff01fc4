"""Finding deleted rows of a table whose key is one whole number.

Belongs here: exact maps of which numbers are there, one bit each, made on both sides and compared. Does not belong here: other keys
(`buckets`). A map of a million rows is a quarter of a megabyte, and no row is read twice.
"""

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts import raw_columns
from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion import apply
from dagster_project.ingestion.catalog import SourceTable
from dagster_project.ingestion.relay import Copied
from dagster_project.ingestion.source import SourceSnapshot

_WHOLE_NUMBERS = {"smallint", "integer", "bigint"}


def has_map(table: BoundTable, described: SourceTable) -> bool:
    """Whether the table's key is one whole number."""
    return len(table.key) == 1 and described.columns[table.key[0]].raw_type in _WHOLE_NUMBERS


def find_gone(source: SourceSnapshot, writing: Cursor, table: BoundTable) -> Copied:
    """Put the keys of live raw rows that the source does not have into the table of gone keys."""
    (key,) = table.key
    writing.execute("drop table if exists pg_temp.present, pg_temp.held")
    writing.execute("create temporary table present (word bigint, bits bigint) on commit drop")
    # A table of its own, because only so PostgreSQL lets several workers make it, and at the same time as the source makes its map.
    held = _map(key, table.raw, sql.SQL(raw_columns.IS_LIVE))
    with source.relaying(writing) as relay:
        copied = relay.copy(
            _map(key, table.source, sql.SQL("true")),
            sql.Identifier("pg_temp", "present"),
            meanwhile=sql.SQL("create temporary table held on commit drop as {}").format(held),
        )
    writing.execute("analyze pg_temp.present")
    writing.execute("analyze pg_temp.held")
    apply.create_gone(writing, table)
    # Materialized, or the planner takes every word apart before it looks for those that differ.
    writing.execute(
        sql.SQL(
            """
            with differing as materialized (
                select word, held.bits & ~coalesce(present.bits, 0) as bits
                from pg_temp.held
                left join pg_temp.present using (word)
                where held.bits & ~coalesce(present.bits, 0) <> 0
            )

            insert into {gone}
            select (word << 6) + place
            from differing
            cross join generate_series(0, 63) as place
            where bits >> place & 1 = 1
            """
        ).format(gone=apply.GONE)
    )
    return copied


def _map(key: str, relation: sql.Composable, condition: sql.Composable) -> sql.Composable:
    return sql.SQL(
        "select {key}::bigint >> 6 as word, bit_or(1::bigint << ({key}::bigint & 63)::integer) as bits "
        "from {relation} where {condition} group by 1"
    ).format(key=sql.Identifier(key), relation=relation, condition=condition)
