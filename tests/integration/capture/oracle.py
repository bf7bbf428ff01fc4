"""The independent judge: raw's live rows against the source, row for row, every value as text.

Belongs here: reading both sides whole and counting what differs. It shares no code with what it judges, and knows neither how changes are
found nor how they are applied.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion.source import SourceSnapshot
from dagster_project.postgres.cursors import one_row

# Text must not depend on the settings of a server, a database or a role.
_PINNED = "-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=postgres -c extra_float_digits=1 -c bytea_output=hex"

# A table's rows: (key, all values) and how often.
Rows = Counter[tuple[str, str]]
Contents = Mapping[str, Rows]


@dataclass(frozen=True)
class Difference:
    """What raw has wrong.

    Attributes:
        lost: Rows that the source has and raw has not.
        extra: Rows that raw has and the source has not.
        stale: Rows with the right key and other values.
        examples: Table and key of some of them.
    """

    lost: int = 0
    extra: int = 0
    stale: int = 0
    examples: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many rows are wrong; none if raw equals the source."""
        return self.lost + self.extra + self.stale

    def __add__(self, other: "Difference") -> "Difference":
        examples = (*self.examples, *other.examples)[:12]
        return Difference(self.lost + other.lost, self.extra + other.extra, self.stale + other.stale, examples)


def connect(url: str) -> Connection:
    """A connection whose text is comparable."""
    return psycopg2.connect(url, options=_PINNED, application_name="oracle")


def source_contents(url: str, contract: SystemContract, snapshot: str | None = None) -> Contents:
    """All declared values of the source, at an exported snapshot or now."""
    with closing(connect(url)) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            if snapshot is not None:
                cursor.execute("set transaction snapshot %s", (snapshot,))
        return _contents(connection, contract, is_raw=False)


def raw_contents(url: str, contract: SystemContract) -> Contents:
    """All live rows of raw, now; a table that is not there yet has none."""
    with closing(connect(url)) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        return _contents(connection, contract, is_raw=True)


def exported(source: SourceSnapshot) -> str:
    """The name under which other connections can read at a sync's snapshot."""
    with source.connection.cursor() as cursor:
        cursor.execute("select pg_export_snapshot()")
        return str(one_row(cursor)[0])


def leaves(url: str, contract: SystemContract) -> frozenset[tuple[str, str]]:
    """Table and leaf of every partitioned table, as a new transaction sees them."""
    found: set[tuple[str, str]] = set()
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        for table in contract.bound_tables():
            cursor.execute("select relid::text from pg_partition_tree(to_regclass(%s)) where isleaf", (table.source.as_string(cursor),))
            found.update((table.name, leaf) for (leaf,) in cursor.fetchall())
    return frozenset(found)


def compare(source: Contents, raw: Contents) -> Difference:
    """Count what differs."""
    return sum((_compare(table, source[table], raw[table]) for table in source), Difference())


def _compare(table: str, source: Rows, raw: Rows) -> Difference:
    missing, surplus = Counter(key for key, _ in (source - raw).elements()), Counter(key for key, _ in (raw - source).elements())
    stale = missing & surplus
    lost, extra = missing - stale, surplus - stale
    examples = [f"{kind} {table} {key}" for kind, keys in (("lost", lost), ("extra", extra), ("stale", stale)) for key in list(keys)[:3]]
    return Difference(lost.total(), extra.total(), stale.total(), tuple(examples))


def _contents(connection: Connection, contract: SystemContract, is_raw: bool) -> Contents:
    with connection.cursor() as cursor:
        return {table.name: _rows(cursor, table, is_raw) for table in contract.bound_tables()}


def _rows(cursor: psycopg2.extensions.cursor, table: BoundTable, is_raw: bool) -> Rows:
    relation = table.raw if is_raw else table.source
    cursor.execute("select to_regclass(%s)", (relation.as_string(cursor),))
    if is_raw and cursor.fetchone() == (None,):
        return Counter()
    # Raw keeps money as a number.
    value = "case when pg_typeof({0}) = 'money'::regtype then {0}::text::money::numeric::text else {0}::text end"
    row = sql.SQL("array[{}]::text").format(sql.SQL(", ").join(sql.SQL(value).format(sql.Identifier(c)) for c in table.columns))
    key = sql.SQL("array[{}]::text").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in table.key or table.columns)
    )
    cursor.execute(
        sql.SQL("select {}, md5(convert_to({}, 'UTF8')) from {} where {}").format(
            key, row, relation, sql.SQL("_deleted_at is null" if is_raw else "true")
        )
    )
    return Counter(cursor.fetchall())
