"""What a sync tells of itself while it runs.

Belongs here: the stages of a sync in their order. Does not belong here: what is made of them (log lines, progress, tests that end a sync
at one).
"""

from dataclasses import dataclass
from enum import StrEnum

from dagster_project.ingestion.source import SourceSnapshot
from dagster_project.ingestion.watermark import TableSync


class Stage(StrEnum):
    """A moment of a sync; those of a table come once per table."""

    LOCKED = "locked"
    SNAPSHOT = "snapshot"
    COPYING = "copying"
    COPIED = "copied"
    LOADED = "loaded"
    APPLIED = "applied"
    COMMITTING = "committing"
    COMMITTED = "committed"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True)
class SyncEvent:
    """One moment of a sync.

    Attributes:
        stage: Which moment.
        table: The table, at the stages of a table.
        source: The snapshot that is read, at SNAPSHOT.
        table_sync: What was done to the table, at LOADED (its first load, committed) and APPLIED.
        copied_bytes: Bytes of the table copied so far, at COPYING.
        estimated_bytes: How many there will be in the end, as far as the source's statistics tell, at COPYING.
    """

    stage: Stage
    table: str | None = None
    source: SourceSnapshot | None = None
    table_sync: TableSync | None = None
    copied_bytes: int = 0
    estimated_bytes: int | None = None
