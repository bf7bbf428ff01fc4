"""What commands do before their work: find the databases, bring them to the newest revision, see that they can be used.

Belongs here: which databases are Runmart's to migrate. Does not belong here: the revisions (`migrations/`).
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg2
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from dagster_project.contracts.loading import load_contracts, shared_contracts
from dagster_project.errors import RunmartError
from dagster_project.ingestion.errors import SourceNotSupported, from_driver
from dagster_project.postgres import versions
from dagster_project.resources.analysts import restrain
from dagster_project.resources.databases import INSTANCE, WAREHOUSE, Databases
from dagster_project.resources.home import close_to_others
from dagster_project.resources.tenant_databases import is_embedded, make_source, make_warehouse
from dagster_project.resources.tenants import listed_tenants, systems_with_tenants
from dagster_project.settings import ConfigurationError, Settings, has_migrations
from dagster_project.suggestions import no_such
from migrations.run import upgrade


@dataclass(frozen=True)
class Migrated:
    """What a migration did.

    Attributes:
        databases: The names of those that are now at their newest revision.
        warnings: What a person should know, one line each.
    """

    databases: list[str]
    warnings: list[str]


def find_databases() -> Databases:
    """The databases that the settings say. What this process writes from now on, and the home as it is, are for its owner alone."""
    settings = Settings.from_environment()
    close_to_others(settings.home)
    return Databases(settings)


def known_systems(systems: Sequence[str]) -> list[str]:
    """The systems named, or all of them if none is.

    Raises:
        ConfigurationError: A name is not that of a system.
    """
    contracts = shared_contracts()
    unknown = [system for system in systems if system not in contracts]
    if unknown and unknown[0] in load_contracts():
        raise ConfigurationError(
            f"the system {unknown[0]} has a database for each tenant; `runmart sync {unknown[0]}` brings them up to date"
        )
    if unknown:
        raise ConfigurationError(no_such("system", unknown[0], contracts))
    return list(systems or contracts)


def migrate(databases: Databases, systems: Sequence[str] = ()) -> Migrated:
    """Migrate the warehouse and the source databases on the embedded server, or just the systems named; set the limits of analysts.

    A source database of the user's own is migrated only when its system is named: it may have an owner with plans of his own.

    Raises:
        RunmartError: A system has no migrations, or a database cannot be reached, is too old, or is at a revision that
            this version does not know.
    """
    named = known_systems(systems)
    foreign = [system for system in systems if not has_migrations(system)]
    if foreign:
        raise ConfigurationError(f"{foreign[0]} has no migrations: its database is its owner's to change, Runmart only reads it")
    embedded = [system for system in named if has_migrations(system) and databases.external_url(system) is None]
    targets = named if systems else [WAREHOUSE, *embedded]
    warnings = []
    for target in targets:
        with _explained(target):
            url = databases.url(target)
            _connect(target, url)
            upgrade(target, url)
            if target == WAREHOUSE:
                warnings += restrain(url, databases.settings.analysts)
    migrated = Migrated(targets, warnings)
    for system in () if systems else systems_with_tenants():
        _migrate_tenants(databases, system, migrated)
    return migrated


def _migrate_tenants(databases: Databases, system: str, migrated: Migrated) -> None:
    """Migrate the warehouses of the tenants of a system, and their sources on the embedded server; one that cannot be stops no other."""
    try:
        tenants = [tenant for tenant in listed_tenants(databases, system).values() if tenant.is_active]
    except RunmartError as error:
        migrated.warnings.append(str(error))
        return
    for tenant in tenants:
        try:
            with _explained(f"of the tenant {tenant.name}"):
                migrated.warnings.extend(make_warehouse(databases, system, tenant.name))
                if is_embedded(databases, system, tenant):
                    make_source(databases, system, tenant.name)
        except RunmartError as error:
            migrated.warnings.append(str(error))
        else:
            migrated.databases.append(f"{WAREHOUSE} of {tenant.name}")


def check_connections(databases: Databases) -> None:
    """Connect to the databases that every run needs: seconds earlier, and in fewer words, than the run would fail.

    Raises:
        RunmartError: One of them cannot be reached or is too old.
    """
    for name in (INSTANCE, WAREHOUSE):
        with _explained(name):
            _connect(name, databases.url(name))


def _connect(name: str, url: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        version = connection.server_version
    if refusal := versions.refusal(version):
        raise SourceNotSupported(f"the database {name} {refusal}")


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
