"""The lock that keeps two syncs of a system apart.

Belongs here: taking it, and keeping it from one transaction to the next. Does not belong here: what a sync does in these (`sync`). It is
the lock of an empty table that only runmart_ingest can reach, so nobody else can hold up a sync: docs/adr/0011-lock-out-of-reach.md.
"""

from contextlib import suppress

from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection

from dagster_project.ingestion.errors import SyncInProgress

# Between two statements a sync waits for its source, with the lock, for as long as the contract's limits allow.
_KEEP_IDLE_TRANSACTION = """
select set_config(name, '0', false) from pg_catalog.pg_settings where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""


class LockingConnection(Connection):
    """A connection of which every transaction, once `lock` was called, holds the lock of a system from its beginning to its end.

    A commit or a rollback begins the next transaction, with the lock, in the same message to the server. An idle transaction with nothing
    but the lock has neither a number nor a snapshot, so vacuum goes on beside it.
    """

    _system: str

    def lock(self, system: str) -> None:
        """Take the lock of a system; the connection must be in autocommit mode and act as runmart_ingest.

        Raises:
            SyncInProgress: Another connection has it.
        """
        self._system = system
        with self.cursor() as cursor:
            cursor.execute(_KEEP_IDLE_TRANSACTION)
            # Another first sync may make it at the same time.
            with suppress(errors.UniqueViolation, errors.DuplicateTable):
                cursor.execute(sql.SQL("create table if not exists {} ()").format(self._table))
        self.autocommit = False
        self._begin_locked(sql.SQL(""))

    def commit(self) -> None:
        """Commit, and begin the next transaction with the lock.

        Raises:
            SyncInProgress: The commit is done, but another sync was quicker in taking the lock.
        """
        self._begin_locked(sql.SQL("commit and chain; "))

    def rollback(self) -> None:
        """Roll back, and begin the next transaction with the lock.

        Raises:
            SyncInProgress: Another sync was quicker in taking the lock.
        """
        self._begin_locked(sql.SQL("rollback and chain; "))

    def release(self) -> None:
        """Roll back, and let the lock go."""
        super().rollback()

    @property
    def _table(self) -> sql.Identifier:
        return sql.Identifier("locks", f"sync_{self._system}")

    def _begin_locked(self, end_of_the_last: sql.SQL) -> None:
        with self.cursor() as cursor:
            try:
                cursor.execute(end_of_the_last + sql.SQL("lock table {} in exclusive mode nowait").format(self._table))
            except errors.LockNotAvailable as error:
                raise SyncInProgress(self._system) from error
