"""Asking a database one thing.

Belongs here: one statement on a connection of its own, committed, and waiting for others' transactions. Does not belong here: which
database, and what is asked.
"""

from contextlib import closing
from typing import Any

import psycopg2

from tests.waiting import until


def run(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run a statement and commit; the rows that it gives, if it gives any."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


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
