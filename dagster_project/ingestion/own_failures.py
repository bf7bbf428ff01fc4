"""What fails for one table, and says nothing of others.

Belongs here: telling it from what ends a sync, and its words. Does not belong here: what becomes of the table and its component (`sync`).
"""

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion.catalog import source_of
from dagster_project.ingestion.errors import StatementFailed, SyncError, SyncInProgress, from_driver
from dagster_project.ingestion.fault import locate
from dagster_project.ingestion.source import SourceSnapshot
from dagster_project.postgres.driver_errors import is_of_one_table

FAILURES = (SyncError, StatementFailed, psycopg2.Error)


def is_own(error: Exception) -> bool:
    """Whether a failure, one of `FAILURES`, is the table's own that was worked on."""
    cause = error.cause if isinstance(error, StatementFailed) else error
    return is_of_one_table(cause) if isinstance(cause, psycopg2.Error) else not isinstance(cause, SyncInProgress)


def told(error: SyncError | StatementFailed | psycopg2.Error, table: BoundTable, source: SourceSnapshot, writing: Cursor) -> SyncError:
    """The failure of a table in words, with the value at fault if it is one.

    Args:
        error: What was raised.
        table: The table.
        source: The snapshot, which the failure has left usable.
        writing: Cursor of a transaction in the warehouse, likewise; what is done here leaves nothing in it.
    """
    if isinstance(error, SyncError):
        return error
    place = f"the warehouse, table {table.raw_name}"
    if not isinstance(error, StatementFailed):
        return from_driver(error, place)
    fault = locate(error, table, source, writing)
    return from_driver(error.cause, f"{source_of(table) if error.is_at_source else place}{fault}")
