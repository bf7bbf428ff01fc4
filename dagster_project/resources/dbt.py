"""dbt: its project, its connection and the one way that runs start it.

Belongs here: where the project is, the environment that `dbt_project/profiles.yml` reads, a manifest that is never stale, and the Dagster
resource. Does not belong here: which models are assets (`defs.transformation`).
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation, DbtCliResource
from packaging import version
from sqlalchemy import make_url

from dagster_project.errors import RunmartError
from dagster_project.marts.refreshes import project_files
from dagster_project.resources.warehouse import Warehouse
from dagster_project.settings import DBT_PROJECT, Settings

MANIFEST = DBT_PROJECT / "target" / "manifest.json"
DBT_EXECUTABLE = str(Path(sys.executable).parent / "dbt")


class DbtParseError(RunmartError):
    """The dbt project is invalid; the message is dbt's own."""


def dbt_environment(warehouse_url: str, history_days: int | None = None) -> dict[str, str]:
    """The variables that `profiles.yml` and macros read, for a libpq URL and the days for which histories are kept."""
    url = make_url(warehouse_url)
    host = url.query.get("host", url.host) or "localhost"
    return {
        "RUNMART_DBT_HOST": host if isinstance(host, str) else host[0],
        "RUNMART_DBT_PORT": str(url.port or 5432),
        "RUNMART_DBT_USER": url.username or "",
        "RUNMART_DBT_PASSWORD": str(url.password or ""),
        "RUNMART_DBT_NAME": url.database or "",
        "RUNMART_HISTORY_DAYS": str(history_days or ""),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def refresh_environment() -> dict[str, str]:
    """The variables for a dbt that Runmart starts: what the project is made of, and not to list all relations before it begins.

    By the first, dbt sees that a system has come (`dbt_project/macros/executions.sql`), and a refresh says what built it. Refreshes
    ask the database what they have built; the list costs as much as a small refresh.
    """
    return {"RUNMART_PROJECT_FILES": project_files(), "DBT_POPULATE_CACHE": "false"}


def ensure_manifest() -> Path:
    """The manifest of the project as it stands; parses the project (no database, no network) if a file is newer than it.

    Raises:
        DbtParseError: The project does not parse.
    """
    if not MANIFEST.exists() or MANIFEST.stat().st_mtime < max(path.stat().st_mtime for path in _project_files()):
        command = [DBT_EXECUTABLE, "--quiet", "parse", "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
        environment = {**os.environ, **refresh_environment()}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DbtParseError(f"dbt cannot parse {DBT_PROJECT.name}:\n{done.stdout.strip() or done.stderr.strip()}")
        # A parse from dbt's cache may leave the file as it is.
        MANIFEST.touch()
    return MANIFEST


def _project_files() -> Iterator[Path]:
    yield DBT_PROJECT / "dbt_project.yml"
    for folder in ("models", "macros", "tests", "seeds"):
        yield from (path for path in (DBT_PROJECT / folder).rglob("*") if path.is_file())


class Dbt(DbtCliResource):
    """dbt against the warehouse, publishing left to the publication asset."""

    warehouse: dg.ResourceDependency[Warehouse]

    @property
    def _cli_version(self) -> version.Version:
        # The parent asks `dbt --version`, which asks the package index.
        return version.parse(package_version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        """Nothing: the parent loads dbt into this process, for a second or two, to ask for row counts and columns, which we do not."""

    def cli(self, args: Sequence[str], **options: Any) -> DbtCliInvocation:  # noqa: ANN401
        """Start dbt in the one folder of this home: what a run has parsed for its connection, the next one need not parse."""
        return super().cli(args, target_path=Settings.from_environment().home / "dbt", **options)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Point dbt at the warehouse."""
        super().setup_for_execution(context)
        history_days = Settings.from_environment().history_days
        os.environ.update({**dbt_environment(self.warehouse.url(), history_days), **refresh_environment(), "RUNMART_PUBLISH": "later"})
