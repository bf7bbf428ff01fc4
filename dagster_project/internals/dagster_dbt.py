"""dagster-dbt as Runmart uses it: what it imports, and its private parts. A module of its own, because to import it takes time.

Belongs here: what is overridden of the resource, and the names that others use. Does not belong here: where dbt's project and its
connection are (`resources.dbt`).
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version as package_version

from packaging import version

_LOOKED_FOR = "dbt.version"


@contextmanager
def _by_itself() -> Iterator[None]:
    """Let dagster-dbt find no dbt-core, which it knows how to do without: it would load half of dbt for the names of its statuses.

    dbt runs in processes of its own here. A module that is None in this list counts as one that is not installed.
    """
    modules: dict[str, object] = sys.modules  # type: ignore[assignment]
    before = modules.get(_LOOKED_FOR)
    modules[_LOOKED_FOR] = None
    try:
        yield
    finally:
        del modules[_LOOKED_FOR]
        if before is not None:
            modules[_LOOKED_FOR] = before


with _by_itself():
    from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtCliResource, DbtProject, dbt_assets

__all__ = ["DagsterDbtTranslator", "DbtCliInvocation", "DbtProcess", "DbtProject", "dbt_assets"]


class DbtProcess(DbtCliResource):
    """dbt as a process that is started at once: what the parent asks dbt for before it, it is told or goes without."""

    @property
    def _cli_version(self) -> version.Version:
        # The parent asks `dbt --version`, which asks the package index.
        return version.parse(package_version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        """Nothing: the parent loads dbt into this process, for a second or two, to ask for row counts and columns, which we do not."""
