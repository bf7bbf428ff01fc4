"""The databases as Dagster resources.

Belongs here: the two resources that assets and checks ask for a warehouse or for the URL of a source. Does not belong here: resolving names
(`databases`), and what a warehouse is (`warehouse`). Both look when a run asks, never when definitions load.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from dagster_project.resources.databases import Databases
from dagster_project.settings import ConfigurationError, Settings
from dagster_project.warehouse import Namespace, Warehouse


@dataclass(frozen=True)
class Warehouses:
    """The warehouses that runs may work on.

    Attributes:
        given: Use these instead of the settings' one.
    """

    given: tuple[Warehouse, ...] = ()

    def of(self, namespace: Namespace) -> Warehouse:
        """The warehouse of a namespace; starts the embedded server if it lives there.

        Raises:
            ConfigurationError: There is none.
        """
        known = {one.namespace: one for one in self.given or (Databases(Settings.from_environment()).warehouse(),)}
        if namespace not in known:
            raise ConfigurationError(f"there is no warehouse {namespace.name!r}; load Dagster's definitions without it")
        return known[namespace]


class Sources(dg.ConfigurableResource[None]):
    """The source databases.

    Attributes:
        fixed_urls: libpq URL by system, used instead of the settings' one.
    """

    fixed_urls: Mapping[str, str] = {}

    def url(self, system: str) -> str:
        """Libpq URL of a system's database; starts the embedded server if it lives there."""
        return self.fixed_urls.get(system) or Databases(Settings.from_environment()).url(system)
