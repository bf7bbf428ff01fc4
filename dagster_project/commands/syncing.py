"""What `runmart sync` runs.

Belongs here: which jobs bring systems, and the marts after them, up to date, and of which systems tenants are. Does not belong here: the
jobs (`defs.automation`), and the runs of tenants (`tenants`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project.commands.setup import known_systems
from dagster_project.resources.tenants import systems_with_tenants
from dagster_project.settings import ConfigurationError

SYNC_AND_REFRESH = "sync_and_refresh"


@dataclass(frozen=True)
class Wanted:
    """What a sync is of.

    Attributes:
        of_tenants: Systems whose tenants are brought up to date first: what they hand over is read then.
        jobs: Jobs for the shared warehouse, in their order.
    """

    of_tenants: list[str]
    jobs: list[str]


def wanted(systems: Sequence[str], tenants: Sequence[str] = (), *, is_refreshing: bool) -> Wanted:
    """The jobs that sync systems, and then the marts if that is asked for; one does it all where all systems are meant.

    Args:
        systems: Names of the systems; all of them if empty.
        tenants: The tenants that are meant, and nothing else; all of the systems if empty.
        is_refreshing: Whether the marts are brought up to date too.

    Raises:
        ConfigurationError: A name is not that of a system, or tenants are named of a system without.
    """
    having = systems_with_tenants()
    shared = [system for system in systems if system not in having]
    of_tenants = [system for system in having if not systems or system in systems]
    if tenants and (shared or not having):
        raise ConfigurationError(f"{known_systems(shared)[0] if shared else 'no system'} has no tenants; leave out --tenant")
    if tenants or (systems and not shared):
        return Wanted(of_tenants, [])
    named = known_systems(shared)
    if not is_refreshing:
        return Wanted(of_tenants, [f"sync_{system}" for system in named])
    if {*named} == {*known_systems(())}:
        return Wanted(of_tenants, [SYNC_AND_REFRESH])
    return Wanted(of_tenants, [*(f"sync_{system}" for system in named), "refresh"])
