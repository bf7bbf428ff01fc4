"""The Dagster instance: where runs and events are kept.

Belongs here: the environment that the processes of Dagster, dbt and Great Expectations need. Does not belong here:
starting those processes (`processes`).
"""

import os
import shutil

from dagster import DagsterInstance

from dagster_project.resources.databases import WAREHOUSE, Databases
from dagster_project.resources.dbt_environment import dbt_environment
from dagster_project.settings import PROJECT_ROOT


def environment(databases: Databases) -> dict[str, str]:
    """Variables under which `dagster` and `dbt` work on this home; starts the embedded server if a database lives there."""
    home = databases.settings.home
    state = home / "dagster"
    state.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", state / "dagster.yaml")
    return {
        "RUNMART_HOME": str(home),
        "DAGSTER_HOME": str(state),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        # What a run plans is stored in one go.
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
        "GX_ANALYTICS_ENABLED": "false",
        **dbt_environment(databases.url(WAREHOUSE)),
    }


def open_instance(databases: Databases) -> DagsterInstance:
    """The instance of this home, for runs within this process."""
    os.environ.update(environment(databases))
    return DagsterInstance.get()
