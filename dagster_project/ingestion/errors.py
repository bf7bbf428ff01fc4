"""What can go wrong in a sync, each with one clear line.

Belongs here: the errors that ingestion raises and the translation of the driver's errors into them. Does not belong here: what a driver's
error says (`postgres.driver_errors`), retrying (`components.source_system` does it for transient faults), and which tables an error stops
(`sync`).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg2
from psycopg2 import errors

from dagster_project.errors import RunmartError
from dagster_project.postgres import roles
from dagster_project.postgres.driver_errors import column_being_copied, first_line

# What the user calls the database that raw is in.
WAREHOUSE = "the warehouse"

# A connection that is lost in the middle of a COPY has no error class of its own.
_LOST = r"server closed the connection|no connection to the server|could not receive data|SSL connection has been closed"


class SyncError(RunmartError):
    """A sync failed and wrote nothing; the message names what, where and the way out."""

    is_transient = False


class DatabaseUnreachable(SyncError):
    """No connection, or a lost one: worth another try."""

    is_transient = True


class SourceNotSupported(SyncError):
    """The source database cannot be read correctly."""


class AccessDenied(SyncError):
    """The role lacks a right or its password is wrong."""


class SchemaDrift(SyncError):
    """The source no longer matches the contract or raw."""


class SyncInProgress(SyncError):
    """Another sync of the same system is running."""

    def __init__(self, system: str) -> None:
        super().__init__(f"a sync of {system} is already running; wait for it to end and repeat if needed")


class NoTableSynced(SyncError):
    """Every table of a system failed, each for a reason of its own, one line each."""

    def __init__(self, causes: Sequence[SyncError]) -> None:
        super().__init__("\n".join(map(str, causes)))
        self.is_transient = all(cause.is_transient for cause in causes)


class StatementFailed(Exception):
    """What the driver raised in one of the two databases, before it is told what it means.

    Attributes:
        cause: The driver's error.
        is_at_source: Whether the source raised it, not the warehouse.
        row: Place of the row at fault among those that were copied, from 1; None if it was no copying that failed.
        column: Column of the value at fault, where the database names it.
    """

    def __init__(self, cause: psycopg2.Error, *, is_at_source: bool, row: int | None = None) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.is_at_source = is_at_source
        self.row = row
        self.column = column_being_copied(cause)


@contextmanager
def translated(database: str) -> Iterator[None]:
    """Raise what the driver raises within as the sync error that says what it means.

    Args:
        database: Whose error it is unless it says so itself, in the words of `from_driver`.
    """
    try:
        yield
    except psycopg2.Error as error:
        raise from_driver(error, database) from error
    except StatementFailed as error:
        if error.is_at_source and database == WAREHOUSE:
            # It is named further out.
            raise
        raise from_driver(error.cause, database if error.is_at_source else WAREHOUSE) from error.cause


def from_driver(error: psycopg2.Error, database: str) -> SyncError:
    """The sync error that says what a driver error means.

    Args:
        error: What psycopg2 raised.
        database: What the user calls the database: `the warehouse`, or `the source <system>`.
    """
    text = first_line(error)
    if re.search(rf'role "({"|".join(roles.ALL)})" does not exist|(relation|table|schema) "(ops|locks|quality|analytics)\b', text):
        return SchemaDrift(f"{database}: {text}; bring it to the newest revision: runmart migrate")
    if isinstance(error, errors.InsufficientPrivilege):
        return AccessDenied(
            f"{database}: {text}; grant the role of its URL that right (a source needs SELECT on it and USAGE on its schema)"
        )
    if isinstance(error, (errors.UndefinedTable, errors.InvalidSchemaName)):
        return SchemaDrift(f"{database}: {text}; it was dropped or renamed: restore it or take it out of the contract")
    if isinstance(error, errors.DiskFull):
        return SyncError(f"{database}: {text}; nothing was written: free disk space and repeat")
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) or re.search(_LOST, text):
        return _connection_error(text, database)
    return SyncError(f"{database}: {text}")


def _connection_error(text: str, database: str) -> SyncError:
    if re.search(r"password authentication failed|no password supplied|role .* does not exist|pg_hba\.conf", text):
        return AccessDenied(f"{database} refused the login: {text}; check user and password in its URL")
    if re.search(r"database .* does not exist", text):
        return SourceNotSupported(f"{database}: {text}; check the database name in its URL")
    if "statement timeout" in text:
        return SyncError(
            f"{database}: reading took longer than the limits of its contract allow; raise statement_timeout_minutes or snapshot_minutes, "
            "or read at a quieter hour; nothing was written"
        )
    if "lock timeout" in text:
        return DatabaseUnreachable(f"{database}: a table stayed locked for too long ({text}); repeat when the other work is done")
    return DatabaseUnreachable(f"{database} cannot be reached: {text}")
