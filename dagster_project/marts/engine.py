"""What an engine does for marts: compute the groups that changed, swap them in, publish, keep histories.

Belongs here: the interface, and what is said between an engine and those who use it. Does not belong here: how it is done (`postgres`), and
starting dbt, which materializes and tests in between (`resources.dbt`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dagster_project.errors import RunmartError


class NothingPublished(RunmartError):
    """The candidates cannot be published as they are; the message says why, and the way out."""


@dataclass(frozen=True)
class Begun:
    """A refresh that was begun.

    Attributes:
        started_at: When, which is its identity for dbt too.
        is_full: Whether everything is recomputed, instead of what new batches have touched.
        batches: The last batch of each system that its marts will reflect.
        models: What has to be built; all else that was asked for is as it should be.
    """

    started_at: datetime
    is_full: bool
    batches: Mapping[str, int]
    models: Collection[str]


class Engine(Protocol):
    """Keeps marts equal to what a full rebuild would make of raw."""

    def begin(self, *, full: bool, marts: Collection[str] = (), left_out: Collection[str] = (), at: datetime | None = None) -> Begun:
        """Decide what a refresh has to do, and compute the touched groups, for dbt to materialize their rows.

        Args:
            full: Whether to recompute everything, whatever has changed.
            marts: Which are asked for, with the models behind them; all if empty.
            left_out: Models that cannot be built.
            at: The moment that marts are of; now, by the clock of the warehouse, if None.
        """

    def end(self, built: Mapping[str, str], failing: Mapping[str, str] | None = None) -> bool:
        """Note what dbt has built.

        Args:
            built: By model, the SQL by which it was made.
            failing: By model whose data tests fail, the reason in words.

        Returns:
            Whether candidates fit together: no sync was committed while they were built.

        Raises:
            MartDeclarationError: The SQL reads what its models do not say.
        """

    def is_published(self, failing: Mapping[str, str] | None = None) -> bool:
        """Whether all that the refresh under way has built is visible, but for what cannot be while these marts fail.

        It is where no refresh is under way.
        """

    def publish(self, marts: Collection[str] = (), failing: Mapping[str, str] | None = None) -> int:
        """Make candidates visible at once, and keep histories; gives the refresh.

        Args:
            marts: Which; all if empty. Those that are left out count as not refreshed.
            failing: By mart whose checks fail, the reason in words. It stands as it was, with all that cannot be published without it.

        Raises:
            NothingPublished: The candidates do not fit together, or are not all built, or all of them fail.
        """
