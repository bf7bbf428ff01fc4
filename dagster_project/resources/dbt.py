"""dbt: the one way that runs start it.

Belongs here: dbt on one warehouse. Does not belong here: its environment (`dbt_environment`), the manifest (`manifest`), and which models
are assets (`defs.transformation`).
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from dagster_project.internals.dagster_dbt import DbtCliInvocation, DbtProcess
from dagster_project.resources.dbt_environment import dbt_environment
from dagster_project.resources.manifest import DBT_EXECUTABLE
from dagster_project.settings import DBT_PROJECT
from dagster_project.warehouse import Warehouse

_STARTING = Lock()


def built_models(run_results: Mapping[str, Any]) -> dict[str, str]:
    """By model that dbt has built, the SQL by which it was.

    Args:
        run_results: `run_results.json` of the build.
    """
    results = (result for result in run_results["results"] if result["unique_id"].startswith("model.") and result["status"] == "success")
    return {result["unique_id"].rpartition(".")[2]: result["compiled_code"] for result in results}


def failing_models(run_results: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, str]:
    """By model whose data tests fail, which do.

    Args:
        run_results: `run_results.json` of the build.
        manifest: `manifest.json` of the project.
    """
    failing: defaultdict[str, list[str]] = defaultdict(list)
    for result in run_results["results"]:
        if result["status"] == "fail":
            test = manifest["nodes"][result["unique_id"]]
            for model in [test["attached_node"]] if test.get("attached_node") else test["depends_on"]["nodes"]:
                failing[model.rpartition(".")[2]].append(test["name"])
    return {model: f"fails {', '.join(sorted(tests))}" for model, tests in failing.items()}


def has_errors(run_results: Mapping[str, Any]) -> bool:
    """Whether anything of a build could not be done; a test that fails could be."""
    return any(result["status"] in ("error", "runtime error") for result in run_results["results"])


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
        variables={**dbt_environment(warehouse), **variables},
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
