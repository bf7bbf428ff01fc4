"""What `runmart reconcile` is asked for and what it found.

Belongs here: which tables of which systems, and the findings of a run. Does not belong here: the comparison (`ingestion.reconcile`), the
run (`runs`) and drawing (`cli`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.commands.runs import RunReport
from dagster_project.commands.setup import known_systems
from dagster_project.contracts.loading import shared_contracts
from dagster_project.settings import ConfigurationError
from dagster_project.suggestions import no_such

_PREFIX = "reconcile_"


@dataclass(frozen=True)
class Finding:
    """What comparing one table found.

    Attributes:
        table: Its name.
        rows_compared: Live rows of raw.
        rows_lost: Rows that raw lacked.
        rows_extra: Rows that the source did not have.
        rows_stale: Rows with other values.
        rows_repaired: How many of these were repaired: all or none.
        rows_read: Rows and digests that were read from the source.
        bytes_read: Their size on the way, in bytes.
        seconds: Time taken.
    """

    table: str
    rows_compared: int
    rows_lost: int
    rows_extra: int
    rows_stale: int
    rows_repaired: int
    rows_read: int
    bytes_read: int
    seconds: float

    @property
    def rows_left(self) -> int:
        """Rows that differ still."""
        return self.rows_lost + self.rows_extra + self.rows_stale - self.rows_repaired


def tables_by_system(systems: Sequence[str], tables: Sequence[str]) -> dict[str, list[str]]:
    """Which tables of which systems to compare; an empty list stands for all tables of a system.

    Args:
        systems: Names of systems; all of them if empty.
        tables: Names of tables; a system that has none of them is left out.

    Raises:
        ConfigurationError: A name is not that of a system, or not that of a table of these systems.
    """
    declared = {system: contract.tables for system, contract in shared_contracts().items() if system in known_systems(systems)}
    for table in tables:
        if not any(table in names for names in declared.values()):
            known = list(dict.fromkeys(name for names in declared.values() for name in names))
            raise ConfigurationError(no_such("table", table, known, f" in {', '.join(declared)}"))
    if not tables:
        return {system: [] for system in declared}
    chosen = {system: [table for table in tables if table in names] for system, names in declared.items()}
    return {system: names for system, names in chosen.items() if names}


def findings(report: RunReport) -> list[Finding]:
    """What a run that reconciled found, by table; none if it ended before."""
    return [
        Finding(table=key.partition("/")[2], **_of_comparison(data))
        for key, data in sorted(report.assets.items())
        if f"{_PREFIX}rows_compared" in data
    ]


def _of_comparison(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(_PREFIX): value for name, value in metadata.items() if name.startswith(_PREFIX)}
