"""The roles of the warehouse, and acting as one of them.

Belongs here: their names. Does not belong here: what each may do: revisions in `migrations/warehouse` make them and give them their rights,
with the names written out, because a revision never changes.
"""

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

INGEST = "runmart_ingest"
TRANSFORM = "runmart_transform"
ANALYST = "runmart_analyst"
ALL = (INGEST, TRANSFORM, ANALYST)


def act_as(cursor: Cursor, role: str) -> None:
    """Go on with the rights of a role, of which the user of the connection is a member."""
    cursor.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
