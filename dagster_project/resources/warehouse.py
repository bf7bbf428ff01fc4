"""The databases as Dagster resources.

Belongs here: the two resources that assets and checks ask for a warehouse or for the URL of a source. Does not belong here: resolving names
(`databases`), and what a warehouse is (`warehouse`). Both look when a run asks, never when definitions load.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from dagster_project.resources.databases import Databases
from dagster_project.resources.tenants import known_tenant, source_of, tenant_warehouse
from dagster_project.settings import ConfigurationError, Settings
from dagster_project.warehouse import Namespace, Warehouse


@dataclass(frozen=True)
class Warehouses:
    """The warehouses that runs may work on.

    Attributes:
        given: Use these instead of those of the settings.
    """

    given: tuple[Warehouse, ...] = ()

    def of(self, namespace: Namespace, tenant: str | None = None) -> Warehouse:
        """The warehouse of a namespace, or of one of its tenants; starts the embedded server if it lives there.

        Raises:
            ConfigurationError: There is none.
        """
        if not self.given and tenant and namespace.tenants_of:
            return tenant_warehouse(Databases(Settings.from_environment()), namespace.tenants_of, tenant)
        known = {(one.namespace, one.tenant): one for one in self.given or (Databases(Settings.from_environment()).warehouse(),)}
        if (namespace, tenant) not in known:
            of_tenant = f" of the tenant {tenant!r}" if tenant else ""
            raise ConfigurationError(f"there is no warehouse {namespace.name!r}{of_tenant}; load Dagster's definitions without it")
        return known[namespace, tenant]


class Sources(dg.ConfigurableResource[None]):
    """The source databases.

    Attributes:
        fixed_urls: libpq URL by system, or by `system/tenant`, used instead of the settings' one.
    """

    fixed_urls: Mapping[str, str] = {}

    def url(self, system: str, tenant: str | None = None) -> str:
        """Libpq URL of a system's database, or of that of one of its tenants; starts the embedded server if it lives there."""
        fixed = self.fixed_urls.get(f"{system}/{tenant}" if tenant else system)
        if fixed:
            return fixed
        databases = Databases(Settings.from_environment())
        return source_of(databases, system, known_tenant(databases, system, tenant)) if tenant else databases.url(system)
