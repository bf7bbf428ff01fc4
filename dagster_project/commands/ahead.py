"""Starting dbt while its run is still being imported and syncs: the machine has more than one core.

Belongs here: a process for the dbt of one run, where there is no warm process that would do. Does not belong here: what that process does
(`dbt_process`).
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from dagster_project.places import DBT_AHEAD_VARIABLE, PROJECT_ROOT
from dagster_project.resources.databases import Databases
from dagster_project.resources.dbt_environment import dbt_environment
from dagster_project.warm.messages import SOCKET


@contextmanager
def dbt_ahead(databases: Databases) -> Iterator[None]:
    """Let a dbt get ready for the run within, which finds it by a variable; it has ended afterwards, as it has when this process dies."""
    home = databases.settings.home
    if (home / SOCKET).exists():
        yield
        return
    log = home / "logs" / "dbt-ahead.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="runmart-dbt-") as folder, log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster_project.dbt_process", folder, str(databases.warehouse().dbt_target)],
            cwd=PROJECT_ROOT,
            env={**os.environ, "RUNMART_HOME": str(home), **dbt_environment(databases.warehouse())},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.environ[DBT_AHEAD_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[DBT_AHEAD_VARIABLE]
            # It may still be getting ready, for nobody.
            process.kill()
            process.wait()
