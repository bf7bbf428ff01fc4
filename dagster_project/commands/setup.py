"""Bringing databases to the newest revision.

Belongs here: which databases are Runmart's to migrate. Does not belong here: the revisions (`migrations/`).
"""

from collections.abc import Sequence

from dagster_project.components.contract import load_contracts
from dagster_project.resources.databases import WAREHOUSE, Databases
from dagster_project.settings import ConfigurationError
from migrations.run import upgrade


def known_systems(systems: Sequence[str]) -> list[str]:
    """The systems named, or all of them if none is.

    Raises:
        ConfigurationError: A name is not that of a system.
    """
    contracts = load_contracts()
    unknown = [system for system in systems if system not in contracts]
    if unknown:
        raise ConfigurationError(f"there is no system {unknown[0]!r}; there are: {', '.join(contracts)}")
    return list(systems or contracts)


def migrate(databases: Databases, systems: Sequence[str] = ()) -> list[str]:
    """Migrate the warehouse and the source databases on the embedded server, or just the systems named.

    A source database of the user's own is migrated only when its system is named: it may have an owner with plans of his own.

    Returns:
        The names of the databases that are now at their newest revision.
    """
    named = known_systems(systems)
    targets = named if systems else [WAREHOUSE, *(system for system in named if databases.external_url(system) is None)]
    for target in targets:
        upgrade(target, databases.url(target))
    return targets
