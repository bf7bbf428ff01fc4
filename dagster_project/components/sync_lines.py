"""A sync told in lines while it goes on.

Belongs here: which of its events are worth a line, and its words. Does not belong here: where the lines go (the run's log, the terminal).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dagster_project import words
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.watermark import TableSync

_SECONDS_BETWEEN_LINES = 5.0
_SLOW_SECONDS = 1.0


@dataclass
class SyncLines:
    """Turns the events of one sync into lines: quiet tables get none, long copies one every few seconds.

    Attributes:
        say: Called with each line.
    """

    say: Callable[[str], None]
    _began: float = field(default_factory=time.monotonic)
    _said: float = -_SECONDS_BETWEEN_LINES
    _copying_since: dict[str | None, float] = field(default_factory=dict)
    _loaded: dict[str, TableSync] = field(default_factory=dict)

    def tell(self, event: SyncEvent) -> None:
        """Say what is worth saying of one event."""
        if event.stage is Stage.COPYING:
            self._tell_copying(event)
        elif event.stage is Stage.LOADED and event.table_sync is not None:
            self._loaded[event.table_sync.table] = event.table_sync
            self._tell_table(event.table_sync)
        elif event.stage is Stage.APPLIED and event.table_sync is not None:
            self._tell_table(event.table_sync, self._loaded.get(event.table_sync.table))
        if event.stage is not Stage.COPYING:
            self._began = time.monotonic()

    def _tell_copying(self, event: SyncEvent) -> None:
        now = time.monotonic()
        # Several tables may be copied at once: what becomes of one says nothing of when another one began.
        since = self._copying_since.setdefault(event.table, self._began)
        if now - self._said < _SECONDS_BETWEEN_LINES:
            return
        self._said = now
        copied, expected = event.copied_bytes, event.estimated_bytes or 0
        if not 0 < copied < expected:
            self.say(f"{event.table}: {words.size(copied)} copied")
            return
        left = words.duration((now - since) * (expected - copied) / copied)
        share = 100 * copied // expected
        self.say(f"{event.table}: about {share} % copied, {words.size(copied)} of about {words.size(expected)}, {left} to go")

    def _tell_table(self, table: TableSync, told: TableSync | None = None) -> None:
        """One line, unless nothing happened, or nothing but the first load that was told before."""
        if told is not None and _figures(table) == _figures(told):
            return
        if table.seconds > _SLOW_SECONDS or any(_figures(table)[1:]):
            self.say(
                f"{table.table}: {words.counted(table.rows_read, 'row')} read ({table.found_by}, {words.size(table.bytes_read)}), "
                f"{table.rows_inserted:,} inserted, {table.rows_updated:,} updated, {table.rows_deleted:,} deleted in {table.seconds:.1f} s"
            )


def _figures(table: TableSync) -> tuple[int, int, int, int]:
    return table.rows_read, table.rows_inserted, table.rows_updated, table.rows_deleted
