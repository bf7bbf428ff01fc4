"""Assembly: what Dagster loads.

Belongs here: putting `defs/` together and the policies that hold for all of it. Does not belong here: any asset, check or job.
"""

import dagster as dg

from dagster_project.settings import PROJECT_ROOT


@dg.definitions
def defs() -> dg.Definitions:
    """Everything under `defs/`. Runs execute in one process: on a small machine, starting processes costs more than the work."""
    return dg.Definitions.merge(dg.load_from_defs_folder(project_root=PROJECT_ROOT), dg.Definitions(executor=dg.in_process_executor))
