"""Comparing a table with its copy without moving the rows: digests per bucket of keys.

Belongs here: which buckets differ between source and raw. Does not belong here: what to do about the rows in them (`sync`, `reconcile`).
Source and raw hash the same stored bytes: the number of rows and the sum of their 8 byte hashes. Where raw has at least the source's keys,
rows that are gone change the number, so that comparison is exact; for values it misses a difference once in 2^64.
"""

from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts import raw_columns
from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion.candidates import Candidates
from dagster_project.ingestion.relay import Copied
from dagster_project.ingestion.source import SourceSnapshot
from dagster_project.postgres.cursors import one_row

_ROWS_PER_BUCKET = 128
_FEWEST, _MOST = 2**6, 2**20

# Types whose equal values are stored alike, so that their own hash tells every difference. The others (1.0 and 1.00, 0.0 and -0.0 are
# equal) are hashed in the form that they are sent in.
_HASHED_AS_THEY_ARE = {"smallint", "integer", "bigint", "boolean", "uuid", "date", "bytea"}
_HASHED_AS_THEY_ARE_WITH_LENGTH = ("timestamp", "time")
_TEXTS = ("text", "character", "character varying")

_SEND = "select typsend::regproc::text from pg_catalog.pg_type where oid = %s::regtype"


@dataclass(frozen=True)
class Comparison:
    """Source and raw of one table, compared.

    Attributes:
        differing: Rows that may differ; its scope covers the same buckets of raw.
        buckets: Number of buckets that differ.
        source_rows: Rows that the source has.
        copied: What the comparison read from the source.
    """

    differing: Candidates
    buckets: int
    source_rows: int
    copied: Copied


def compare(source: SourceSnapshot, writing: Cursor, table: BoundTable, *, rows: int, columns: tuple[str, ...]) -> Comparison:
    """Compare the given columns of every source row with raw's live rows.

    Args:
        source: The snapshot.
        writing: Cursor on the warehouse; gets a temporary table.
        table: The table.
        rows: About how many rows it has; decides the number of buckets.
        columns: What to compare; the key alone finds deleted rows.
    """
    buckets = min(_MOST, max(_FEWEST, 1 << max(0, rows // _ROWS_PER_BUCKET).bit_length()))
    types = {column: source.tables[table.name].columns[column].raw_type for column in table.columns}
    sends = _sends(writing, types)
    # Without a key the whole row is one.
    key = table.key or table.columns

    def digests(alias: str, relation: sql.Composable, condition: sql.Composable) -> sql.Composable:
        return sql.SQL("select {}, count(*), sum({}) from {} as {} where {} group by 1").format(
            _bucket(alias, key, types, sends, buckets),
            _hash(alias, columns, types, sends),
            relation,
            sql.Identifier(alias),
            condition,
        )

    writing.execute("drop table if exists pg_temp.present, pg_temp.held")
    writing.execute("create temporary table present (bucket bigint, live_rows bigint, digest numeric) on commit drop")
    held = digests("raw", table.raw, sql.SQL(f"raw.{raw_columns.IS_LIVE}"))
    with source.relaying(writing) as relay:
        copied = relay.copy(
            digests("source", table.source, sql.SQL("true")),
            sql.Identifier("pg_temp", "present"),
            meanwhile=sql.SQL("create temporary table held (bucket, live_rows, digest) on commit drop as {}").format(held),
        )
    writing.execute(
        """
        select bucket from pg_temp.present
        full join pg_temp.held using (bucket)
        where (present.live_rows, present.digest) is distinct from (held.live_rows, held.digest)
        """
    )
    numbers = [bucket for (bucket,) in writing.fetchall()]

    def within(alias: str) -> sql.Composable:
        return sql.SQL("{} = any({}::bigint[])").format(_bucket(alias, key, types, sends, buckets), sql.Literal(numbers))

    differing = Candidates("comparison", (within("source"),) if numbers else (), within("raw") if numbers else None)
    writing.execute("select coalesce(sum(live_rows), 0)::bigint from pg_temp.present")
    (source_rows,) = one_row(writing)
    return Comparison(differing, len(numbers), source_rows, copied)


def _sends(cursor: Cursor, types: dict[str, str]) -> dict[str, str]:
    found = {}
    for kind in set(types.values()):
        cursor.execute(_SEND, (kind,))
        row = cursor.fetchone()
        found[kind] = str(row[0]) if row else "textsend"
    return found


def _bucket(alias: str, key: tuple[str, ...], types: dict[str, str], sends: dict[str, str], buckets: int) -> sql.Composable:
    return sql.SQL("({} & {})").format(_hash(alias, key, types, sends), sql.Literal(buckets - 1))


def _hash(alias: str, columns: tuple[str, ...], types: dict[str, str], sends: dict[str, str]) -> sql.Composable:
    values = sql.SQL(", ").join(_stored(alias, column, types[column], sends[types[column]]) for column in columns)
    return sql.SQL("hash_record_extended(row({}), 0)").format(values)


def _stored(alias: str, column: str, kind: str, send: str) -> sql.Composable:
    value = sql.SQL("{}::{}").format(sql.Identifier(alias, column), sql.SQL(kind))
    if kind in _HASHED_AS_THEY_ARE or (kind.startswith(_HASHED_AS_THEY_ARE_WITH_LENGTH) and not kind.endswith("]")):
        return value
    if kind.partition("(")[0] in _TEXTS and not kind.endswith("]"):
        return sql.SQL('({}) collate "C"').format(value)
    return sql.SQL("{}({})").format(sql.SQL(send), value)
