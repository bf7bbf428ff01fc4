"""The databases as Dagster resources.

Belongs here: the two resources that assets and checks ask for a URL or a connection. Does not belong here: resolving names (`databases`).
URLs are looked up when a run asks, never when definitions load.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import dagster as dg
import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dagster_project.postgres.roles import act_as
from dagster_project.resources.databases import WAREHOUSE, Databases
from dagster_project.settings import Settings


class Warehouse(dg.ConfigurableResource[None]):
    """The warehouse.

    Attributes:
        fixed_url: Use this libpq URL instead of the settings' one.
    """

    fixed_url: str | None = None

    def url(self) -> str:
        """Libpq URL of the warehouse; starts the embedded server if it lives there."""
        return self.fixed_url or Databases(Settings.from_environment()).url(WAREHOUSE)

    @contextmanager
    def connection(self, role: str) -> Iterator[Connection]:
        """A connection that acts as one of the platform's roles; commits at the end, rolls back on an error."""
        connection = psycopg2.connect(self.url(), application_name="runmart")
        try:
            with connection, connection.cursor() as cursor:
                act_as(cursor, role)
                yield connection
        finally:
            connection.close()

    @contextmanager
    def opened(self, role: str) -> Iterator[Connection]:
        """A connection that acts as one of the platform's roles, for transactions of its user's own."""
        with closing(psycopg2.connect(self.url(), application_name="runmart")) as connection:
            with connection, connection.cursor() as cursor:
                act_as(cursor, role)
            yield connection

    @contextmanager
    def looking(self, role: str) -> Iterator[Cursor]:
        """A cursor of one snapshot that acts as one of the platform's roles; whatever it makes is gone at the end."""
        connection = psycopg2.connect(self.url(), application_name="runmart")
        try:
            connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ)
            with connection.cursor() as cursor:
                act_as(cursor, role)
                yield cursor
        finally:
            connection.rollback()
            connection.close()


class Sources(dg.ConfigurableResource[None]):
    """The source databases.

    Attributes:
        fixed_urls: libpq URL by system, used instead of the settings' one.
    """

    fixed_urls: Mapping[str, str] = {}

    def url(self, system: str) -> str:
        """Libpq URL of a system's database; starts the embedded server if it lives there."""
        return self.fixed_urls.get(system) or Databases(Settings.from_environment()).url(system)
