"""Connections of dbt to PostgreSQL that are used again.

dbt opens a connection for each model, test and hook. A new one has to look up in the catalogs whatever its first statements name: a large
part of what a small refresh costs, see docs/adr/0009-pool-connections.md.

Belongs here: to which database, and keeping idle connections until the command ends. Does not belong here: what is sent over them.
"""

import os
from dataclasses import replace
from multiprocessing.context import BaseContext
from typing import Any, cast

import psycopg2
from dbt.adapters.contracts.connection import AdapterRequiredConfig, Connection, ConnectionState
from dbt.adapters.postgres.connections import PostgresConnectionManager, PostgresCredentials

# Names the database, which nothing that is parsed depends on.
DATABASE = "RUNMART_DBT_NAME"


class PooledConnections(PostgresConnectionManager):
    """As dbt's own manager, but a connection that a thread releases stays open for the next that asks, in whatever thread.

    The one that was released last is given first, because it knows most of what the next statements name.
    """

    def __init__(self, profile: AdapterRequiredConfig, mp_context: BaseContext) -> None:
        super().__init__(profile, mp_context)  # type: ignore[no-untyped-call]
        self._idle: list[Any] = []

    @classmethod
    def get_credentials(cls, credentials: PostgresCredentials) -> PostgresCredentials:
        """Those of the profile, for the database of this process: what the profile calls so is the same for all."""
        return replace(credentials, database=os.environ.get(DATABASE) or credentials.database)

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        """Open a new connection, which keeps the role of the profile whatever is rolled back later."""
        opened = cast("Connection", super().open(connection))  # type: ignore[no-untyped-call]
        opened.handle.commit()
        return opened

    def set_connection_name(self, name: str | None = None) -> Connection:
        """The connection of this thread, called by a name: an idle one, if there is one, else one that is opened when it is needed."""
        connection = super().set_connection_name(name)
        with self.lock:
            if connection.state != ConnectionState.OPEN and self._idle:
                connection.handle = self._idle.pop()
                connection.state = ConnectionState.OPEN
        return connection

    def release(self) -> None:
        """Give back the connection of this thread; what it did not commit is rolled back."""
        connection = self.get_if_exists()
        if connection is None or connection.state != ConnectionState.OPEN:
            return
        handle = connection.handle
        try:
            handle.rollback()
        except psycopg2.Error:
            # The server has ended it, so there is nothing to keep.
            super().release()
            return
        connection.handle, connection.state, connection.transaction_open = None, ConnectionState.CLOSED, False
        with self.lock:
            self._idle.append(handle)

    def cleanup_all(self) -> None:
        """Close all connections."""
        super().cleanup_all()
        with self.lock:
            while self._idle:
                self._idle.pop().close()
