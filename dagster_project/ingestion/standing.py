"""Tables that stand still: they, or tables that foreign keys tie to them, cannot be brought to a snapshot.

Belongs here: which tables stand still for which failure. Does not belong here: finding failures (`sync`), and where they are kept
(`watermark`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion.errors import SyncError


@dataclass(frozen=True)
class StandingTable:
    """A table that a sync left at its last snapshot.

    Attributes:
        table: Its name.
        failing: The tables of its component that failed, itself among them or not.
        reason: What it failed for; None if only tables that it is tied to did.
    """

    table: str
    failing: tuple[str, ...]
    reason: str | None


def standing_tables(contract: SystemContract, failures: Mapping[str, SyncError]) -> tuple[StandingTable, ...]:
    """Every table of a component in which a table failed, in the contract's order."""
    failing = {table: tuple(each for each in component if each in failures) for component in contract.components() for table in component}
    return tuple(
        StandingTable(table, failing[table], str(failures[table]) if table in failures else None)
        for table in contract.tables
        if failing[table]
    )
