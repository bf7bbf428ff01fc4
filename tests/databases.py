"""Asking a database one thing, and giving it rows.

Belongs here: one transaction on a connection of its own, committed, and waiting for others' transactions. Does not belong here: which
database, what is asked, and what the rows are.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeAlias

import psycopg2
from psycopg2 import sql
from psycopg2.extras import Json, execute_values

from tests.waiting import until

Row: TypeAlias = Mapping[str, object]


def run(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run a statement and commit; the rows that it gives, if it gives any."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def replace_rows(
    url: str, emptied: Collection[str], rows: Mapping[str, Sequence[Row]], named: Callable[[str], sql.Identifier] = sql.Identifier
) -> None:
    """Empty tables, and what refers to them; then insert rows, in this order of tables. Columns that a row has not get their default.

    Args:
        url: libpq URL of the database.
        emptied: The tables to empty.
        rows: By table.
        named: The table that a name means, where its schema must be told.
    """
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("truncate {} cascade").format(sql.SQL(", ").join(map(named, sorted(emptied)))))
        for table, entries in rows.items():
            for columns in dict.fromkeys(tuple(entry) for entry in entries):
                execute_values(
                    cursor,
                    sql.SQL("insert into {} ({}) overriding system value values %s").format(
                        named(table), sql.SQL(", ").join(map(sql.Identifier, columns))
                    ),
                    [tuple(_adapted(entry)) for entry in entries if tuple(entry) == columns],
                    # In one statement, at whose end rows that refer to each other are all there.
                    page_size=len(entries),
                )


def _adapted(entry: Row) -> Iterator[object]:
    for value in entry.values():
        yield Json(value) if isinstance(value, dict) else value


def create_login(url: str, role: str) -> None:
    """Create a role that may log in to this database, and nothing else."""
    ((database,),) = run(url, "select quote_ident(current_database())")
    run(url, f"create role {role} login; grant connect on database {database} to {role}")


def wait_for_earlier_transactions(url: str) -> None:
    """Wait until no transaction runs that had begun before, whoever's: the server's own housekeeping has some.

    Changes are read from a slot only once all transactions of before its publication have ended.
    """
    ((newest,),) = run(url, "select pg_snapshot_xmax(pg_current_snapshot())::text")
    until(lambda: run(url, "select pg_snapshot_xmin(pg_current_snapshot()) >= %s::xid8", newest) == [(True,)])
