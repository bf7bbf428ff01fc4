"""dbt: its connection and the one way that runs start it.

Belongs here: the environment that `dbt_project/profiles.yml` reads, and the Dagster resource. Does not belong here: the manifest
(`manifest`), and which models are assets (`defs.transformation`).
"""

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version as package_version
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation, DbtCliResource
from packaging import version
from sqlalchemy import make_url

from dagster_project.marts.definition import definition
from dagster_project.resources.manifest import DEFINITION
from dagster_project.resources.warehouse import Warehouse
from dagster_project.settings import Settings


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
        os.environ.update(dbt_environment(self.warehouse.url()))
