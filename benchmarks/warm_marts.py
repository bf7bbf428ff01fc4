"""Marts refreshed in this process, with a dbt that has parsed the project once, as a warm code server has it.

Belongs here: the steps of a refresh against a benchmark's warehouse. Does not belong here: what they do (`dagster_project.marts`).
"""

import os
from contextlib import closing
from pathlib import Path

import psycopg2
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from dagster_project.marts.definition import definition
from dagster_project.marts.postgres.engine import PostgresEngine
from dagster_project.resources.dbt_environment import dbt_environment
from dagster_project.resources.share import share_of
from dagster_project.settings import DBT_PROJECT
from dagster_project.warehouse import DEFAULT, Warehouse


def built(results: object) -> dict[str, str]:
    """By model that a build in this process has built, the SQL by which it was.

    Args:
        results: What the build gave; if it is none, it was none.
    """
    entries = [entry for entry in getattr(results, "results", ()) if entry.status == "success"]
    return {entry.node.name: entry.node.compiled_code for entry in entries if entry.node.resource_type == "model"}


class WarmMarts:
    """The project against one warehouse.

    Args:
        warehouse_url: libpq URL of the warehouse.
        work: Folder for what dbt writes.
    """

    def __init__(self, warehouse_url: str, work: Path) -> None:
        os.environ.update(dbt_environment(Warehouse(warehouse_url, work)))
        self._warehouse_url = warehouse_url
        self._work = work
        parsed = self._invoke(dbtRunner(), "parse")
        assert isinstance(parsed, Manifest)
        self._runner = dbtRunner(manifest=parsed)
        self._plan = share_of(DEFAULT).plan

    def refresh(self, *marts: str, full: bool = False) -> None:
        """Refresh marts, all with their data tests, or some and what they read without; and publish them.

        Raises:
            RuntimeError: dbt failed; what it said stands on standard output.
        """
        together = [model.name for model in self._plan.published_with(marts)]
        part = ["--exclude-resource-type", "test", "--select", *(f"+{mart}" for mart in together)] if marts else []
        with closing(psycopg2.connect(self._warehouse_url, options="-c role=runmart_transform")) as connection:
            engine = PostgresEngine(connection, self._plan, definition())
            os.environ["RUNMART_REFRESH"] = engine.begin(full=full, marts=together).started_at.isoformat()
            engine.end(built(self._invoke(self._runner, "build", "--exclude-resource-type", "unit_test", *part)))
            engine.publish(marts)

    def _invoke(self, runner: dbtRunner, command: str, *arguments: str) -> object:
        folders = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", str(self._work / "target")]
        result = runner.invoke([command, *folders, "--log-path", str(self._work / "logs"), "--quiet", *arguments])
        if not result.success:
            raise RuntimeError(f"dbt {command} failed: {result.exception or 'see above'}")
        return result.result
