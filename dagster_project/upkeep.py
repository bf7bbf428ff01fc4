"""Upkeep of a source database that Runmart builds: partitions of the coming periods, and old rows.

Belongs here: doing what a contract declares, in one transaction for each table. Does not belong here: the functions that make and archive
partitions (`migrations.calendar_partitions`), and when all of this is done (`defs.upkeep`). Whatever ends it early, it goes on next time.
"""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import BoundTable, Upkeep
from dagster_project.postgres.cursors import one_row
from dagster_project.words import counted

_PERIODS_AHEAD = 4

# Who changes rows comes first. Partitions come and go under strong locks on several tables, so a writer may wait for upkeep while upkeep
# waits for the writer. PostgreSQL looks for that after a second, and ends whichever it finds. Half a second earlier, upkeep gives up.
_SESSION = "-c timezone=UTC -c lock_timeout=500ms"

_HAS_PARTITIONS = "select to_regprocedure('public.create_future_partitions(integer)') is not null"
_MAKE = "select public.create_future_partitions(%s)"

# Whole partitions go, so those stay of which a part is young enough.
_ARCHIVE = "select public.archive_partitions({}, (timezone('utc', now()) - make_interval(months => %s))::date)"
_DELETE = "delete from {} where {} < now() - make_interval(days => %s)"


def keep_up(contract: SystemContract, url: str) -> Iterator[str]:
    """Make partitions of the coming periods, and archive or delete what is older than the contract says; tells what was done, line by line.

    Args:
        contract: Of a system whose database Runmart builds.
        url: libpq URL of that database.

    Raises:
        psycopg2.errors.LockNotAvailable: A table is in use; the rest is done next time.
    """
    with closing(psycopg2.connect(url, options=_SESSION)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute(_HAS_PARTITIONS)
            (has_partitions,) = one_row(cursor)
            if has_partitions:
                cursor.execute(_MAKE, (_PERIODS_AHEAD,))
                yield f"{counted(int(one_row(cursor)[0]), 'partition')} made"
        for table in contract.bound_tables():
            if table.declared.upkeep:
                with connection, connection.cursor() as cursor:
                    yield from _clear(cursor, table, table.declared.upkeep)


def _clear(cursor: Cursor, table: BoundTable, upkeep: Upkeep) -> Iterator[str]:
    if upkeep.archive_after_months is not None:
        relation = sql.Literal(table.source.as_string(cursor))
        cursor.execute(sql.SQL(_ARCHIVE).format(relation), (upkeep.archive_after_months,))
        yield f"{table.name}: {counted(int(one_row(cursor)[0]), 'partition')} archived"
    if upkeep.delete_after_days is not None:
        cursor.execute(sql.SQL(_DELETE).format(table.source, sql.Identifier(str(upkeep.dated_by))), (upkeep.delete_after_days,))
        yield f"{table.name}: {counted(cursor.rowcount, 'row')} deleted"
