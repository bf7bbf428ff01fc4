"""The warehouse side of a sync: connections that act as runmart_ingest.

Belongs here: the settings of their sessions. Does not belong here: the lock of a system (`lock`), and what is written.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection

from dagster_project.postgres import roles

_Kind = TypeVar("_Kind", bound=Connection)


@contextmanager
def connect(system: str, url: str, kind: type[_Kind]) -> Iterator[_Kind]:
    """A connection for a sync of a system, one statement per transaction; closed at the end.

    Args:
        system: The system.
        url: libpq URL of the warehouse; its user must be a member of runmart_ingest.
        kind: Class of the connection.
    """
    name = f"runmart sync {system}"
    # A lock is held in silence for as long as workers load: routers forget a connection that says nothing.
    connection = psycopg2.connect(url, connect_timeout=10, keepalives_idle=60, application_name=name, connection_factory=kind)
    try:
        connection.autocommit = True
        connection.set_client_encoding("UTF8")
        with connection.cursor() as cursor:
            roles.act_as(cursor, roles.INGEST)
            cursor.execute("set timezone = 'UTC'")
            cursor.execute("set synchronous_commit = on")
            # A sync works in temporary tables of its own sessions; the defaults send even small ones to disk.
            cursor.execute("set temp_buffers = '64MB'")
            cursor.execute("set work_mem = '64MB'")
        yield connection
    finally:
        connection.close()
