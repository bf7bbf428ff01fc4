"""Where each database is: a URL of the user's own, or a database on the embedded server.

Belongs here: resolving a name (`warehouse`, `dagster`, a system) to a URL that can be connected to, and the one maker of a `Warehouse`.
Does not belong here: what is in the databases (`migrations/`), who may read it, and how clients write a URL (`postgres.urls`).
"""

from dataclasses import dataclass

from sqlalchemy import Engine, create_engine

from dagster_project.postgres.urls import as_role, sqlalchemy_url
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.settings import ConfigurationError, Settings, has_migrations, url_variable
from dagster_project.warehouse import Warehouse

WAREHOUSE = "warehouse"
INSTANCE = "dagster"


@dataclass(frozen=True)
class Databases:
    """Resolves database names under one `Settings`."""

    settings: Settings

    @property
    def server(self) -> EmbeddedServer:
        """The embedded server of this home, running or not."""
        return EmbeddedServer(self.settings.home / "postgres")

    def external_url(self, name: str) -> str | None:
        """The URL that the user gave for a database, or None when it lives on the embedded server."""
        urls = {**self.settings.source_urls, WAREHOUSE: self.settings.warehouse_url, INSTANCE: self.settings.instance_url}
        return urls.get(name)

    def url(self, name: str, user: str | None = None) -> str:
        """A libpq URL of a database; starts the embedded server and creates the database there if that is where it lives.

        Args:
            name: `warehouse`, `dagster` or a system.
            user: Connect as this role instead of the URL's own (embedded server) or swap it into the user's URL.

        Raises:
            ConfigurationError: It is the database of a user's own, and no URL says where that is.
        """
        external = self.external_url(name)
        if external is not None:
            return external if user is None else as_role(external, user)
        if name != INSTANCE and not has_migrations(name):
            raise ConfigurationError(
                f"there is no URL for the database of {name}: set {url_variable(name)}=postgresql://user@host/database"
            )
        self.server.start()
        self.server.ensure_database(name)
        return self.server.url(name) if user is None else self.server.url(name, user)

    def warehouse(self) -> Warehouse:
        """The warehouse that the settings say; starts the embedded server if it lives there."""
        return Warehouse(self.url(WAREHOUSE), self.settings.home, history_days=self.settings.history_days)


def engine(url: str) -> Engine:
    """A SQLAlchemy engine for a libpq URL."""
    return create_engine(sqlalchemy_url(url))
