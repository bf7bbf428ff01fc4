"""What `runmart sync` runs.

Belongs here: which jobs bring systems, and the marts after them, up to date. Does not belong here: the jobs (`defs.automation`).
"""

from collections.abc import Sequence

from dagster_project.commands.setup import known_systems

SYNC_AND_REFRESH = "sync_and_refresh"


def jobs_of_sync(systems: Sequence[str], *, is_refreshing: bool) -> list[str]:
    """The jobs that sync systems, and then the marts if that is asked for; one does it all where all systems are meant.

    Args:
        systems: Names of the systems; all of them if empty.
        is_refreshing: Whether the marts are brought up to date too.

    Raises:
        ConfigurationError: A name is not that of a system.
    """
    named = known_systems(systems)
    if not is_refreshing:
        return [f"sync_{system}" for system in named]
    if {*named} == {*known_systems(())}:
        return [SYNC_AND_REFRESH]
    return [*(f"sync_{system}" for system in named), "refresh"]
