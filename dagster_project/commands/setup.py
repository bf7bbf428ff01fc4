"""Bringing databases to the newest revision.

Belongs here: which databases are Runmart's to migrate. Does not belong here: the revisions (`migrations/`).
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import psycopg2
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from dagster_project.components.contract import load_contracts
from dagster_project.ingestion.errors import SourceNotSupported, from_driver
from dagster_project.resources.databases import INSTANCE, WAREHOUSE, Databases
from dagster_project.settings import ConfigurationError, has_migrations
from dagster_project.suggestions import no_such
from migrations.run import upgrade

_OLDEST_VERSION = 140000


def known_systems(systems: Sequence[str]) -> list[str]:
    """The systems named, or all of them if none is.

    Raises:
        ConfigurationError: A name is not that of a system.
    """
    contracts = load_contracts()
    unknown = [system for system in systems if system not in contracts]
    if unknown:
        raise ConfigurationError(no_such("system", unknown[0], contracts))
    return list(systems or contracts)


def migrate(databases: Databases, systems: Sequence[str] = ()) -> list[str]:
    """Migrate the warehouse and the source databases on the embedded server, or just the systems named.

    A source database of the user's own is migrated only when its system is named: it may have an owner with plans of his own.

    Returns:
        The names of the databases that are now at their newest revision.

    Raises:
        RunmartError: A system has no migrations, or a database cannot be reached, is older than PostgreSQL 14, or is at a revision that
            this version does not know.
    """
    named = known_systems(systems)
    foreign = [system for system in systems if not has_migrations(system)]
    if foreign:
        raise ConfigurationError(f"{foreign[0]} has no migrations: its database is its owner's to change, Runmart only reads it")
    embedded = [system for system in named if has_migrations(system) and databases.external_url(system) is None]
    targets = named if systems else [WAREHOUSE, *embedded]
    for target in targets:
        with _explained(target):
            url = databases.url(target)
            _connect(target, url)
            upgrade(target, url)
    return targets


def check_connections(databases: Databases) -> None:
    """Connect to the databases that every run needs: seconds earlier, and in fewer words, than the run would fail.

    Raises:
        RunmartError: One of them cannot be reached or is older than PostgreSQL 14.
    """
    for name in (INSTANCE, WAREHOUSE):
        with _explained(name):
            _connect(name, databases.url(name))


def _connect(name: str, url: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        version = connection.server_version
    if version < _OLDEST_VERSION:
        raise SourceNotSupported(f"the database {name} runs PostgreSQL {version // 10000}; 14 is the oldest that works")


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except (psycopg2.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, psycopg2.Error):
            raise
        raise from_driver(cause, f"the database {name}") from error
    except CommandError as error:
        raise ConfigurationError(f"the database {name}: {error}; it was migrated by another version of Runmart, use that one") from error
