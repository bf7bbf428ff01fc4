"""The Dagster instance: where runs and events are kept.

Belongs here: the environment that the processes of Dagster, dbt and Great Expectations need. Does not belong here:
starting those processes (`processes`).
"""

import os
from pathlib import Path

from dagster import DagsterInstance

from dagster_project.resources.databases import Databases
from dagster_project.resources.dbt_environment import dbt_environment
from dagster_project.settings import PROJECT_ROOT

_CONFIGURATION = "dagster.yaml"


def environment(databases: Databases) -> dict[str, str]:
    """Variables under which `dagster` and `dbt` work on this home; starts the embedded server if a database lives there."""
    home = databases.settings.home
    state = home / "dagster"
    state.mkdir(parents=True, exist_ok=True)
    _configure(state)
    return {
        "RUNMART_HOME": str(home),
        "DAGSTER_HOME": str(state),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        # What a run plans is stored in one go.
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
        "GX_ANALYTICS_ENABLED": "false",
        **dbt_environment(databases.warehouse()),
    }


def _configure(state: Path) -> None:
    """Bring Dagster's configuration to its home.

    Whoever reads it meanwhile finds all of it: of an empty one, Dagster would make an instance in files, which knows of nothing.
    """
    wanted, there = (PROJECT_ROOT / _CONFIGURATION).read_bytes(), state / _CONFIGURATION
    if there.exists() and there.read_bytes() == wanted:
        return
    unfinished = there.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(wanted)
    unfinished.replace(there)


def open_instance(databases: Databases) -> DagsterInstance:
    """The instance of this home, for runs within this process."""
    os.environ.update(environment(databases))
    return DagsterInstance.get()
