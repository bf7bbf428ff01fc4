"""dbt in this process, parsed once, as a warm code server has it.

Belongs here: starting it against a benchmark's warehouse. Does not belong here: what it builds (`dbt_project/`).
"""

import os
from pathlib import Path

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from dagster_project.resources.dbt import dbt_environment, refresh_environment
from dagster_project.settings import DBT_PROJECT


class WarmDbt:
    """The project against one warehouse.

    Args:
        warehouse_url: libpq URL of the warehouse.
        work: Folder for what dbt writes.
    """

    def __init__(self, warehouse_url: str, work: Path) -> None:
        os.environ.update({**dbt_environment(warehouse_url), **refresh_environment()})
        self._work = work
        parsed = self._invoke(dbtRunner(), "parse")
        assert isinstance(parsed, Manifest)
        self._runner = dbtRunner(manifest=parsed)

    def run(self, *arguments: str) -> None:
        """Run a command.

        Raises:
            RuntimeError: It failed; what dbt said stands on standard output.
        """
        self._invoke(self._runner, *arguments)

    def _invoke(self, runner: dbtRunner, command: str, *arguments: str) -> object:
        folders = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", str(self._work / "target")]
        result = runner.invoke([command, *folders, "--log-path", str(self._work / "logs"), "--quiet", *arguments])
        if not result.success:
            raise RuntimeError(f"dbt {command} failed: {result.exception or 'see above'}")
        return result.result
