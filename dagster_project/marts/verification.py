"""What holding published marts against raw has found.

Belongs here: how a difference is told. Does not belong here: how it is found (`postgres.verifying`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

# The check of each mart that says it, in Dagster and in quality.validation_results.
CHECK = "equals_what_raw_makes"


@dataclass(frozen=True)
class Difference:
    """One row that stands on one side only.

    Attributes:
        is_published: Whether it is published and raw makes no such row, or the other way round.
        row: The row as PostgreSQL prints it, without the columns that name the refresh.
    """

    is_published: bool
    row: str


@dataclass(frozen=True)
class Verification:
    """What was found of one mart.

    Attributes:
        mart: Its name.
        groups: Number of groups that were computed again; None if the mart has none and was computed whole.
        rows: Number of published rows in them.
        differing: Number of rows that stand on one side only.
        sample: The first of these.
    """

    mart: str
    groups: int | None
    rows: int
    differing: int
    sample: Sequence[Difference]

    @property
    def is_right(self) -> bool:
        """Whether what is published is what raw makes."""
        return self.differing == 0
