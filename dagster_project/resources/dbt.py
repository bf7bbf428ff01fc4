"""dbt: its connection and the one way that runs start it.

Belongs here: the environment that `dbt_project/profiles.yml` reads, and dbt on one warehouse. Does not belong here: the manifest
(`manifest`), and which models are assets (`defs.transformation`).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from dagster_dbt import DbtCliInvocation
from sqlalchemy import make_url

from dagster_project.internals.dagster_dbt import DbtProcess
from dagster_project.marts.definition import definition
from dagster_project.resources.manifest import DBT_EXECUTABLE, DEFINITION
from dagster_project.settings import DBT_PROJECT
from dagster_project.warehouse import Warehouse

_STARTING = Lock()


def dbt_environment(warehouse_url: str) -> dict[str, str]:
    """The variables that `profiles.yml` and macros read, for a libpq URL."""
    url = make_url(warehouse_url)
    host = url.query.get("host", url.host) or "localhost"
    return {
        "RUNMART_DBT_HOST": host if isinstance(host, str) else host[0],
        "RUNMART_DBT_PORT": str(url.port or 5432),
        "RUNMART_DBT_USER": url.username or "",
        "RUNMART_DBT_PASSWORD": str(url.password or ""),
        "RUNMART_DBT_NAME": url.database or "",
        # By this dbt sees that a system has come, see `dbt_project/macros/executions.sql`.
        DEFINITION: definition(),
        # A refresh asks the database for what it has to know; a list of all relations costs as much as a small one.
        "DBT_POPULATE_CACHE": "false",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def built_models(run_results: Mapping[str, Any]) -> dict[str, str]:
    """By model that dbt has built, the SQL by which it was.

    Args:
        run_results: `run_results.json` of the build.
    """
    results = (result for result in run_results["results"] if result["unique_id"].startswith("model.") and result["status"] == "success")
    return {result["unique_id"].rpartition(".")[2]: result["compiled_code"] for result in results}


class Dbt(DbtProcess):
    """dbt on one warehouse, publishing left to the publication asset.

    Attributes:
        work: Folder of what it writes.
        variables: What its processes have in their environment, beside what this process has.
    """

    work: str
    variables: Mapping[str, str]

    def cli(self, args: Sequence[str], **options: Any) -> DbtCliInvocation:  # noqa: ANN401
        """Start dbt in the one folder of this warehouse: what a run has parsed for its connection, the next one need not parse."""
        with _environment(self.variables):
            return super().cli(args, target_path=Path(self.work), **options)


def dbt_on(warehouse: Warehouse, **variables: str) -> Dbt:
    """What starts dbt on a warehouse, with further variables in its environment."""
    return Dbt(
        project_dir=str(DBT_PROJECT),
        profiles_dir=str(DBT_PROJECT),
        dbt_executable=DBT_EXECUTABLE,
        work=str(warehouse.dbt_target),
        variables={**dbt_environment(warehouse.url), **variables},
    )


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let a process that is started within have these. Dagster gives it what this process has; the next one may be of another warehouse."""
    with _STARTING:
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield
        finally:
            os.environ.update({name: value for name, value in before.items() if value is not None})
            for name in (name for name, value in before.items() if value is None):
                del os.environ[name]
