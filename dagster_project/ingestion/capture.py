"""Capture modes: which source rows may differ from raw.

Belongs here: finding candidates. Does not belong here: reading, applying and remembering them, which all modes share (`sync`). A mode must
never miss a row that differs; naming rows that turn out to be equal only costs time.
"""

from dataclasses import dataclass
from typing import Protocol

from psycopg2 import sql

from dagster_project.components.contract import TableContract
from dagster_project.ingestion.source import SourceSnapshot
from dagster_project.ingestion.watermark import Watermark


@dataclass(frozen=True)
class Candidates:
    """Source rows that may differ from raw.

    Attributes:
        predicate: SQL condition on the source table that selects them.
        is_exhaustive: All source rows are among them, so a raw row that is not was deleted at the source.
    """

    predicate: sql.Composable
    is_exhaustive: bool


class CaptureMode(Protocol):
    """One way of finding candidates."""

    name: str

    def candidates(self, source: SourceSnapshot, table: TableContract, watermark: Watermark | None) -> Candidates:
        """Candidates of one table at the snapshot, given how far raw had been brought before (None: never)."""
        ...


class WholeTable:
    """Compares whole tables: always correct, needs only SELECT, costs what exists."""

    name = "horizon"

    def candidates(self, source: SourceSnapshot, table: TableContract, watermark: Watermark | None) -> Candidates:
        """Every row of the table."""
        return Candidates(predicate=sql.SQL("true"), is_exhaustive=True)


CAPTURE_MODES: dict[str, CaptureMode] = {mode.name: mode for mode in (WholeTable(),)}
