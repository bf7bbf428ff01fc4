"""Asking a database one thing.

Belongs here: one statement on a connection of its own, committed. Does not belong here: which database, and what is asked.
"""

from contextlib import closing
from typing import Any

import psycopg2


def run(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run a statement and commit; the rows that it gives, if it gives any."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []
