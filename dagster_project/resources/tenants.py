"""The tenants of a system, and where the databases of each are.

Belongs here: reading who they are, the URLs of their sources, and the value of their warehouses. Does not belong here: making these
(`tenant_databases`), and what is in them. A URL of a tenant is used, and neither kept, printed nor logged.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import parse_dsn

from dagster_project.contracts.contract import SystemContract, Tenants
from dagster_project.contracts.loading import load_contracts
from dagster_project.ingestion.errors import from_driver
from dagster_project.postgres.urls import database_of, on_database
from dagster_project.resources.databases import WAREHOUSE, Databases
from dagster_project.settings import ConfigurationError, postgres_url
from dagster_project.suggestions import no_such
from dagster_project.warehouse import Warehouse, of_tenants

# A part of names of databases, of roles and of folders.
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_-]*")

# PostgreSQL cuts names off after so many bytes, and two would become one.
_LONGEST_NAME = 63


@dataclass(frozen=True)
class Tenant:
    """A tenant as the system that lists it says.

    Attributes:
        name: What identifies it.
        title: What people call it.
        is_active: Whether it is a customer still.
        url: URL of its source database, as it is written there.
    """

    name: str
    title: str
    is_active: bool
    url: str = field(repr=False)


def listed_tenants(databases: Databases, system: str) -> dict[str, Tenant]:
    """The tenants of a system by name, active or not.

    Args:
        databases: Where the system that lists them is.
        system: A system with tenants.

    Raises:
        SyncError: The database that lists them cannot be read.
    """
    tenants, listing = listing_of(system)
    columns = sql.SQL(", ").join(map(sql.Identifier, (tenants.id, tenants.name, tenants.is_active, tenants.url)))
    query = sql.SQL("select {} from {} order by 1").format(columns, listing.table(tenants.table).source)
    with asking_listing(databases, system) as cursor:
        cursor.execute(query)
        return {name: Tenant(name, *told) for name, *told in cursor.fetchall()}


@contextmanager
def asking_listing(databases: Databases, system: str) -> Iterator[Cursor]:
    """A transaction in the database that lists the tenants of a system."""
    _, listing = listing_of(system)
    try:
        with closing(psycopg2.connect(databases.url(listing.system))) as connection, connection, connection.cursor() as cursor:
            yield cursor
    except psycopg2.Error as error:
        raise from_driver(error, f"the source {listing.system}, which lists the tenants of {system},") from error


def known_tenant(databases: Databases, system: str, name: str) -> Tenant:
    """A tenant by name.

    Raises:
        ConfigurationError: The system has none of that name.
    """
    known = listed_tenants(databases, system)
    if name not in known:
        raise ConfigurationError(no_such(f"tenant of {system}", name, known))
    return known[name]


def source_of(databases: Databases, system: str, tenant: Tenant) -> str:
    """Libpq URL of the source database of a tenant. One that is written without a host is on the server that lists the tenants.

    Raises:
        ConfigurationError: What is written is no URL.
    """
    tenants, listing = listing_of(system)
    url = postgres_url(f"{tenants.listed_in}.{tenants.url} of the tenant {tenant.name}", tenant.url)
    return url if "host" in parse_dsn(url) else on_database(databases.url(listing.system), database_of(url))


def tenant_warehouse(databases: Databases, system: str, name: str) -> Warehouse:
    """The warehouse of a tenant: a database of its own beside the shared one, whether it has been made or not.

    Raises:
        ConfigurationError: No database can be called after the tenant.
    """
    shared = databases.url(WAREHOUSE)
    database = f"{database_of(shared)}__{system}__{name}"
    longest = _LONGEST_NAME - len(database) + len(name)
    if not _NAME.fullmatch(name) or len(name) > longest:
        raise ConfigurationError(
            f"there can be no warehouse for the tenant {name!r} of {system}: databases and folders are called after tenants; "
            f"take at most {longest} letters, digits, _ and -, not beginning with _ or -"
        )
    settings = databases.settings
    home = settings.home / "tenants" / system / name
    return Warehouse(on_database(shared, database), home, of_tenants(system), settings.history_days, name)


def known_warehouse(databases: Databases, system: str, name: str) -> Warehouse:
    """The warehouse of a tenant that there is.

    Raises:
        ConfigurationError: There is no such tenant.
    """
    return tenant_warehouse(databases, system, known_tenant(databases, system, name).name)


def reader_of(url: str) -> str:
    """The role that reads the warehouse of a tenant and nothing else; it is called as the database."""
    return database_of(url)


def systems_with_tenants() -> Mapping[str, SystemContract]:
    """The systems of which each tenant has a database of its own, by name."""
    return {system: contract for system, contract in load_contracts().items() if contract.tenants}


def the_system() -> str:
    """The system with tenants.

    Raises:
        ConfigurationError: No contract declares any.
    """
    systems = [*systems_with_tenants()]
    if not systems:
        raise ConfigurationError("no system has tenants; `tenants:` in a contract declares them, see docs/adding-a-source.md")
    return systems[0]


def listing_of(system: str) -> tuple[Tenants, SystemContract]:
    """Where the tenants of a system are listed."""
    contracts = load_contracts()
    tenants = contracts[system].tenants
    if tenants is None:
        raise ConfigurationError(f"the system {system} has no tenants")
    return tenants, contracts[tenants.system]
