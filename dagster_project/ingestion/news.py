"""Looking whether a source has anything that raw does not hold, without reading it.

Belongs here: one look at a system, which writes nothing and misses nothing. Does not belong here: bringing it to raw (`sync`), when to look
and what to do then (`commands.watching`). It asks the questions of a sync (`capture`), so what a sync would find a look sees too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion import raw_tables, warehouse, watermark
from dagster_project.ingestion.candidates import COMPARISON, EVERYTHING, NOTHING, Candidates
from dagster_project.ingestion.capture import Stream, candidates, has_new_shape, read_stream
from dagster_project.ingestion.errors import WAREHOUSE, translated
from dagster_project.ingestion.held_types import with_held_types
from dagster_project.ingestion.source import SourceSnapshot, open_snapshot
from dagster_project.ingestion.watermark import TableState
from dagster_project.postgres.cursors import one_row

# More candidates than that are not told apart from others as many.
_MOST_TOLD_APART = 10_000

_IS_SYNCING = """
select exists (
    select from pg_catalog.pg_locks
    where relation = to_regclass(%s) and database = (select oid from pg_catalog.pg_database where datname = current_database())
)
"""

_VERSIONS = """
select count(*), md5(string_agg(version, ' ' order by version))
from (
    select format('%s %s %s', source.tableoid, source.ctid, source.xmin) as version
    from {source} as source
    where {condition}
    limit {most}
) as versions
"""

_CONTENT = "select count(*), sum(hashtextextended(row({columns})::text, 0)) from {source} as source"
_ROWS = "select count(*) from {source} as source"


@dataclass(frozen=True)
class Difference:
    """What may differ in one table.

    As long as a transaction stays open at the source, rows that others have written meanwhile are found again and again, though a sync has
    brought them: nothing but their versions tells them from newer ones.

    Attributes:
        written: Names the versions of rows that may differ; empty if there are none.
        otherwise: What else speaks for a sync, and does so no more after it; empty if nothing does.
    """

    written: str = ""
    otherwise: str = ""

    def is_brought_with(self, earlier: "Difference | None") -> bool:
        """Whether a sync that came after an earlier look has brought this, too."""
        return earlier is not None and self.written == earlier.written and not self.otherwise


def look(contract: SystemContract, source_url: str, warehouse_url: str) -> Mapping[str, Difference] | None:
    """What may differ from raw, by table.

    Args:
        contract: The system.
        source_url: libpq URL of the source.
        warehouse_url: libpq URL of the warehouse; its user must be a member of runmart_ingest.

    Returns:
        The tables in which something may differ; None if a sync is under way.

    Raises:
        SyncError: One of the databases cannot be asked.
    """
    with translated(WAREHOUSE), warehouse.connect(contract.system, warehouse_url, Connection) as connection, connection.cursor() as cursor:
        cursor.execute(_IS_SYNCING, (f"locks.sync_{contract.system}",))
        if one_row(cursor)[0]:
            return None
        with translated(f"the source {contract.system}"), open_snapshot(contract, source_url, {}) as source, translated(WAREHOUSE):
            return _differing(contract, source_url, source, cursor)


def _differing(contract: SystemContract, source_url: str, source: SourceSnapshot, cursor: Cursor) -> dict[str, Difference]:
    existing = raw_tables.existing(cursor, contract.raw_schema)
    before = watermark.read_watermark(cursor, contract.system).of_tables(existing, raw_tables.existing(cursor, contract.loading_schema))
    kept = raw_tables.types(cursor, contract.raw_schema)
    source.tables = with_held_types(cursor, source.tables)
    found = {table: Difference(otherwise=str(failure)) for table, failure in source.failures.items()}
    readable = contract.only(source.tables)
    with translated(f"the source {contract.system}"):
        stream = read_stream(readable, source_url, source, before) if readable.tables else Stream()
    for table in readable.bound_tables():
        described, state = source.tables[table.name], before.tables.get(table.name)
        is_whole = {*table.columns} <= {*described.columns}
        if state is None or not is_whole or has_new_shape(table, described, state, kept.get(table.name, {})):
            found[table.name] = Difference(otherwise="shape")
        else:
            found[table.name] = _difference(table, source, state, candidates(table, source, state, stream))
    return {table: difference for table, difference in found.items() if difference != Difference()}


def _difference(table: BoundTable, source: SourceSnapshot, state: TableState, first: Candidates) -> Difference:
    if first is NOTHING:
        return Difference()
    if first is COMPARISON:
        return Difference(otherwise="comparison")
    with source.reading() as cursor:
        if first is EVERYTHING:
            return Difference(f"{_asked(cursor, _CONTENT, table)}")
        versions = [_asked(cursor, _VERSIONS, table, condition) for condition in first.reads]
        rows = _asked(cursor, _ROWS, table)[0] if first.lacks_deleted else state.live_rows
    if first.keys:
        # A key without a row may have been deleted before or after a sync, which the number of rows tells.
        return Difference(f"{state.live_rows} {sorted(first.keys)} {versions}", _too_many(versions))
    is_any = any(number for number, _ in versions)
    return Difference(f"{versions}" if is_any else "", "rows" if rows != state.live_rows else _too_many(versions))


def _too_many(versions: Sequence[tuple[object, ...]]) -> str:
    """Of too many candidates not all were looked at."""
    return "many" if any(number == _MOST_TOLD_APART for number, _ in versions) else ""


def _asked(cursor: Cursor, query: str, table: BoundTable, condition: sql.Composable | None = None) -> tuple[object, ...]:
    cursor.execute(
        sql.SQL(query).format(
            source=table.source,
            columns=sql.SQL(", ").join(sql.Identifier("source", column) for column in table.columns),
            condition=condition or sql.SQL("true"),
            most=sql.Literal(_MOST_TOLD_APART),
        )
    )
    return one_row(cursor)
