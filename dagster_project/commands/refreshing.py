"""Asking the warehouse what the marts reflect, before and after a refresh.

Belongs here: connecting for the command. Does not belong here: what is asked (`marts.refreshes`) and how it is shown (`cli`).
"""

from collections.abc import Callable
from contextlib import closing

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dagster_project.marts.refreshes import Refresh, last_refresh, nothing_new
from dagster_project.resources.databases import WAREHOUSE, Databases


def current_refresh(databases: Databases) -> Refresh | None:
    """The published refresh if another one would find nothing to do."""
    return _ask(databases, nothing_new)


def published_refresh(databases: Databases) -> Refresh | None:
    """The last refresh that published all marts."""
    return _ask(databases, last_refresh)


def _ask(databases: Databases, question: Callable[[Cursor], Refresh | None]) -> Refresh | None:
    with (
        closing(psycopg2.connect(databases.url(WAREHOUSE), application_name="runmart refresh")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("set role runmart_transform")
        # A warehouse that is not migrated yet has nothing to refresh either; the run says so.
        cursor.execute("select to_regclass('ops.refreshes') is not null")
        return question(cursor) if cursor.fetchall() == [(True,)] else None
