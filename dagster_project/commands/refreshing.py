"""Asking the warehouse whether a refresh has anything to do.

Belongs here: connecting for the command. Does not belong here: what is asked (`marts.refreshes`) and how it is shown (`results`).
"""

from contextlib import closing

import psycopg2

from dagster_project.marts.refreshes import Refresh, nothing_new
from dagster_project.postgres.roles import TRANSFORM, act_as
from dagster_project.resources.databases import WAREHOUSE, Databases


def current_refresh(databases: Databases) -> Refresh | None:
    """The published refresh if another one would find nothing to do."""
    with (
        closing(psycopg2.connect(databases.url(WAREHOUSE), application_name="runmart refresh")) as connection,
        connection.cursor() as cursor,
    ):
        act_as(cursor, TRANSFORM)
        # A warehouse that is not migrated yet has nothing to refresh either; the run says so.
        cursor.execute("select to_regclass('ops.refreshes') is not null")
        return nothing_new(cursor) if cursor.fetchall() == [(True,)] else None
