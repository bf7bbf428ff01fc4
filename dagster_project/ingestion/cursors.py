"""The driver's cursor, with the one thing that its types leave open.

Belongs here: nothing but this. A query that always gives a row gives `tuple | None` to the type checker.
"""

from typing import Any

from psycopg2.extensions import cursor as Cursor


def one_row(cursor: Cursor) -> tuple[Any, ...]:
    """The next row of a query that always gives one."""
    row = cursor.fetchone()
    if row is None:
        raise LookupError(f"no row came back from: {cursor.query!r}")
    return row
