"""dbt: its project, its connection and the one way that runs start it.

Belongs here: where the project is, the environment that `dbt_project/profiles.yml` reads, a manifest that is never stale, and dbt on one
warehouse. Does not belong here: which models are assets (`defs.transformation`).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from dagster_dbt import DbtCliInvocation
from sqlalchemy import make_url

from dagster_project.contracts.loading import load_contracts
from dagster_project.errors import RunmartError
from dagster_project.internals.dagster_dbt import DbtProcess
from dagster_project.marts.definition import definition
from dagster_project.marts.lineage import read_project
from dagster_project.marts.plan import Plan, make_plan
from dagster_project.settings import DBT_PROJECT
from dagster_project.warehouse import Warehouse

MANIFEST = DBT_PROJECT / "target" / "manifest.json"
DEFINITION = "RUNMART_DEFINITION"
# The digest of the project that the manifest is of.
_PARSED = MANIFEST.with_name("parsed")
DBT_EXECUTABLE = str(Path(sys.executable).parent / "dbt")

_STARTING = Lock()


class DbtParseError(RunmartError):
    """The dbt project is invalid; the message is dbt's own."""


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


def ensure_manifest() -> Path:
    """The manifest of the project as it stands; parses the project (no database, no network) if it has changed since.

    Raises:
        DbtParseError: The project does not parse.
    """
    current = definition()
    if not MANIFEST.exists() or not _PARSED.exists() or _PARSED.read_text(encoding="utf-8") != current:
        command = [DBT_EXECUTABLE, "--quiet", "parse", "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
        environment = {**os.environ, DEFINITION: current}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DbtParseError(f"dbt cannot parse {DBT_PROJECT.name}:\n{done.stdout.strip() or done.stderr.strip()}")
        _PARSED.write_text(current, encoding="utf-8")
    return MANIFEST


@cache
def load_plan() -> Plan:
    """How the marts of the project are refreshed.

    Raises:
        DbtParseError: The project does not parse.
        MartDeclarationError: A mart does not say what must be known of it.
    """
    manifest = json.loads(ensure_manifest().read_text(encoding="utf-8"))
    return make_plan(read_project(manifest), load_contracts())


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
