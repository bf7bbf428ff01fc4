"""The driver's cursor, with what it leaves open.

Belongs here: one row of a query that always gives one, which is `tuple | None` to the type checker; statements that leave nothing
behind. Does not belong here: anything that knows what is asked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import cursor as Cursor


def one_row(cursor: Cursor) -> tuple[Any, ...]:
    """The next row of a query that always gives one."""
    row = cursor.fetchone()
    if row is None:
        raise LookupError(f"no row came back from: {cursor.query!r}")
    return row


@contextmanager
def leaving_nothing(cursor: Cursor) -> Iterator[None]:
    """Undo what is done within, whether it fails or not; the transaction goes on."""
    cursor.execute("savepoint leaving_nothing")
    try:
        yield
    finally:
        cursor.execute("rollback to savepoint leaving_nothing; release savepoint leaving_nothing")
