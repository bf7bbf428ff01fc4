"""The workloads that `runmart demo` gives to systems: a module of this folder that is called as a system has one.

What tenants hand over needs none: it comes with them.

Belongs here: finding them. Does not belong here: what they write (the modules), and when it is synced (`cli`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dagster_project.contracts.loading import shared_contracts


@dataclass(frozen=True)
class Workload:
    """What fills the source database of one system.

    Attributes:
        system: Name of the system.
    """

    system: str

    def fill(self, source_url: str, home: Path, progress: Callable[[str], None]) -> Any:  # noqa: ANN401 (each module has its own summary)
        """Write what is missing, and tell of it line by line; gives a dataclass that says what was done."""
        return import_module(_module(self.system)).fill(source_url, home, progress)


def workloads() -> list[Workload]:
    """Those that there are, in the order of their systems' names. One that tells of runs finds those of the systems before it."""
    return [Workload(system) for system in sorted(shared_contracts()) if find_spec(_module(system))]


def _module(system: str) -> str:
    return f"{__package__}.{system}"
