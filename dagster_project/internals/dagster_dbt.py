"""The private parts of dagster-dbt that Runmart uses. A module of its own, because to import dagster-dbt takes seconds.

Belongs here: what is overridden of the resource. Does not belong here: where dbt's project and its connection are (`resources.dbt`).
"""

from collections.abc import Sequence
from importlib.metadata import version as package_version

from dagster_dbt import DbtCliResource
from packaging import version


class DbtProcess(DbtCliResource):
    """dbt as a process that is started at once: what the parent asks dbt for before it, it is told or goes without."""

    @property
    def _cli_version(self) -> version.Version:
        # The parent asks `dbt --version`, which asks the package index.
        return version.parse(package_version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        """Nothing: the parent loads dbt into this process, for a second or two, to ask for row counts and columns, which we do not."""
