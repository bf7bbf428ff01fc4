"""The tenants that there are, and adding one.

Belongs here: what is told of each, and what a new one gets. Does not belong here: bringing them up to date (`tenants`), and removing one.
"""

from dataclasses import dataclass
from datetime import datetime

import psycopg2

from dagster_project.errors import RunmartError
from dagster_project.marts.refreshes import last_refresh
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.resources.databases import Databases
from dagster_project.resources.tenant_databases import list_tenant, make_source, make_warehouse
from dagster_project.resources.tenants import Tenant, listed_tenants, source_of, tenant_warehouse
from dagster_project.settings import ConfigurationError, postgres_url


@dataclass(frozen=True)
class TenantStatus:
    """One tenant.

    Attributes:
        system: The system that it is a tenant of.
        tenant: Its name.
        title: What people call it.
        is_active: Whether it is a customer still.
        published_at: When its marts were last published; None if they never were.
        note: Why its warehouse cannot be asked; None if it can, or has not been made.
    """

    system: str
    tenant: str
    title: str
    is_active: bool
    published_at: datetime | None
    note: str | None = None


def tenant_statuses(databases: Databases, system: str) -> list[TenantStatus]:
    """The tenants of a system by name.

    Raises:
        SyncError: The database that lists them cannot be read.
    """
    return [_status(databases, system, tenant) for tenant in listed_tenants(databases, system).values()]


def _status(databases: Databases, system: str, tenant: Tenant) -> TenantStatus:
    try:
        with tenant_warehouse(databases, system, tenant.name).looking(TRANSFORM) as cursor:
            last = last_refresh(cursor)
    except psycopg2.OperationalError:
        return TenantStatus(system, tenant.name, tenant.title, tenant.is_active, None, "it has no warehouse yet")
    except (RunmartError, psycopg2.Error) as error:
        return TenantStatus(system, tenant.name, tenant.title, tenant.is_active, None, " ".join(str(error).split()))
    return TenantStatus(system, tenant.name, tenant.title, tenant.is_active, last.published_at if last else None)


def add_tenant(databases: Databases, system: str, name: str, title: str | None = None, url: str | None = None) -> list[str]:
    """Add a tenant: list it, and make its warehouse, and its source if no URL says where that is.

    Args:
        databases: Where everything is.
        system: The system that it becomes a tenant of.
        name: Its name.
        title: What people call it; the same if None.
        url: URL of its source database; None for one on the embedded server.

    Returns:
        What a person should know, one line each.

    Raises:
        ConfigurationError: It is a tenant already, no database can be called after it, or somebody else keeps the list.
    """
    tenant_warehouse(databases, system, name)
    if name in listed_tenants(databases, system):
        raise ConfigurationError(f"{name} is a tenant of {system} already; `runmart sync {system} --tenant {name}` brings it up to date")
    known = postgres_url("--url", url) if url else None
    tenant = Tenant(name, title or name, True, known or f"postgresql:///{make_source(databases, system, name)}")
    source_of(databases, system, tenant)
    list_tenant(databases, system, tenant)
    return make_warehouse(databases, system, name)
