"""A run told in lines while it goes on.

Belongs here: which events are worth a line, and its words. Does not belong here: where the lines go (`cli`) and
the report at the end (`runs`).
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dagster import AssetCheckEvaluation, AssetMaterialization, DagsterEvent, DagsterEventType, EventLogEntry

from dagster_project.defs.transformation import UNCHANGED_SINCE
from dagster_project.words import counted

_SYNC, _BUILD = "raw_", "transformation"
_PUBLICATION = ("analytics", "publication")


@dataclass
class Progress:
    """Turns the events of one run, whose steps follow each other, into lines.

    Attributes:
        say: Called with each line.
    """

    say: Callable[[str], None]
    _started: float = field(default_factory=time.monotonic)
    _assets: list[AssetMaterialization] = field(default_factory=list)
    _checks: list[AssetCheckEvaluation] = field(default_factory=list)

    def show(self, event: DagsterEvent) -> None:
        """Say one line at the end of each step, and those that keep a long step from looking like a standstill."""
        match event.event_type:
            case DagsterEventType.STEP_START:
                self._started, self._assets, self._checks = time.monotonic(), [], []
                self._announce(event.step_key or "")
            case DagsterEventType.ASSET_MATERIALIZATION:
                self._assets.append(event.step_materialization_data.materialization)
                self._show_mart(self._assets[-1])
            case DagsterEventType.ASSET_CHECK_EVALUATION:
                self._checks.append(event.asset_check_evaluation_data)
            case DagsterEventType.ENGINE_EVENT if "pool" in event.engine_event_data.metadata:
                self.say(f"  {self._step(event)} waits for the run before it in the queue")
            case DagsterEventType.STEP_UP_FOR_RETRY:
                self.say(f"  {self._step(event)} did not succeed; trying again in {event.step_retry_data.seconds_to_wait or 0:g} s")
            case DagsterEventType.STEP_SUCCESS | DagsterEventType.STEP_FAILURE:
                self.say(f"  {self._summary(event)}, {time.monotonic() - self._started:.1f} s")

    def log(self, entry: EventLogEntry) -> None:
        """Say what a sync logs of its progress and its warnings, while it goes on."""
        is_told_by_sync = entry.dagster_event is None and (entry.step_key or "").startswith(_SYNC)
        if is_told_by_sync and entry.level in (logging.INFO, logging.WARNING):
            self.say(f"    {'warning: ' if entry.level == logging.WARNING else ''}{entry.user_message}")

    def _announce(self, step: str) -> None:
        if step.startswith(_SYNC):
            self.say(f"  reading {step.removeprefix(_SYNC)}")
        elif step == _BUILD:
            self.say("  building what is new")

    def _show_mart(self, asset: AssetMaterialization) -> None:
        path = tuple(asset.asset_key.path)
        if path[0] == "analytics" and path != _PUBLICATION:
            self.say(f"    built {'/'.join(path)}")

    def _summary(self, event: DagsterEvent) -> str:
        if not self._assets and not self._checks:
            return self._nothing_told(event)
        if not self._assets:
            checked = {check.asset_key.to_user_string() for check in self._checks}
            return f"checked {checked.pop() if len(checked) == 1 else counted(len(checked), 'asset')}: {self._verdict()}"
        first = self._assets[0]
        if "rows_read" in first.metadata:
            rows = sum(int(str(asset.metadata["rows_read"].value)) for asset in self._assets)
            return f"synced {first.asset_key.path[0]}: {counted(len(self._assets), 'table')}, {counted(rows, 'row')} read"
        if tuple(first.asset_key.path) == _PUBLICATION:
            if UNCHANGED_SINCE in first.metadata:
                return f"nothing to publish, refresh {first.metadata[UNCHANGED_SINCE].value} stands"
            return f"published refresh {first.metadata['refresh_id'].value}"
        return f"built {counted(len(self._assets), 'model')}, checks on them: {self._verdict()}"

    def _nothing_told(self, event: DagsterEvent) -> str:
        step = event.step_key or ""
        if event.event_type is DagsterEventType.STEP_FAILURE:
            return f"{self._step(event)} failed"
        if step.startswith(_SYNC):
            return f"synced {step.removeprefix(_SYNC)}: nothing is new"
        if step == _BUILD:
            return "nothing to build"
        return f"{self._step(event)}: nothing has changed"

    def _verdict(self) -> str:
        failed = sum(not check.passed for check in self._checks)
        return f"{len(self._checks) - failed} passed" + (f", {failed} failed" if failed else "")

    @staticmethod
    def _step(event: DagsterEvent) -> str:
        return (event.step_key or "").replace("__", " ").replace("_", " ")
