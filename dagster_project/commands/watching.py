"""Keeping the marts beside their sources: `python -m dagster_project.commands.watching SECONDS`, which `runmart up --watch` keeps.

Belongs here: when to look, when to run, and what a person is told of it. Does not belong here: what a look is (`ingestion.news`), and the
run, which is a command of its own, so that it goes through the warm process.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import psycopg2

from dagster_project.commands.setup import find_databases
from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import shared_contracts
from dagster_project.errors import RunmartError
from dagster_project.ingestion.news import Difference, look
from dagster_project.places import PROJECT_ROOT
from dagster_project.resources.databases import Databases
from dagster_project.resources.news import current_refresh
from dagster_project.warm.project_state import project_state

# After a run that failed. Whatever it failed for, it is not tried again at once, with an alert each time.
_FIRST_RETRY_SECONDS = 10.0
_LAST_RETRY_SECONDS = 300.0

# By system and table, what may differ from raw.
News: TypeAlias = Mapping[tuple[str, str], Difference]

_Answer = TypeVar("_Answer")


@dataclass
class Watch:
    """What is known from one look to the next.

    Attributes:
        looks: By system, what looks at it as `ingestion.news.look` does.
        is_published: Whether the marts reflect what raw holds.
        run: Brings systems, or all of them if none is named, and the marts up to date; whether it succeeded.
        tell: Called with each line that a person should read.
        clock: Seconds.
    """

    looks: Mapping[str, Callable[[], Mapping[str, Difference] | None]]
    is_published: Callable[[], bool]
    run: Callable[[Sequence[str]], bool]
    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _known: News = field(default_factory=dict)
    _unreachable: set[str] = field(default_factory=set)
    _may_be_unpublished: bool = True
    _failures: int = 0
    _retry_at: float = 0.0

    def look(self) -> News | None:
        """What may differ at all sources; None while a sync is under way, which will have seen it."""
        found: dict[tuple[str, str], Difference] = {}
        for system, look_at in self.looks.items():
            nothing: Mapping[str, Difference] | None = {}
            news = self._asked(system, look_at, nothing)
            if news is None:
                return None
            found |= {(system, table): difference for table, difference in news.items()}
        return found

    def act(self, found: News) -> None:
        """Run, if there is anything to do.

        Args:
            found: What the last look has found.
        """
        # What is not found any more would be new if it were found again.
        self._known = {table: known for table, known in self._known.items() if table in found and found[table].is_brought_with(known)}
        reachable = [system for system in self.looks if system not in self._unreachable]
        if not reachable or not self._is_due(found):
            return
        if self.run(() if len(reachable) == len(self.looks) else reachable):
            # What was found was there before the run began, so raw has it.
            self._known, self._failures, self._may_be_unpublished = found, 0, False
            return
        seconds = min(_FIRST_RETRY_SECONDS * 2**self._failures, _LAST_RETRY_SECONDS)
        self._failures += 1
        self._retry_at = self.clock() + seconds
        self.tell(f"watch: the run failed; trying again in {seconds:g} s")

    def _is_due(self, found: News) -> bool:
        if self._failures:
            return self.clock() >= self._retry_at
        if any(not difference.is_brought_with(self._known.get(table)) for table, difference in found.items()):
            return True
        # What others have left unpublished is theirs to publish, but for what was left before this watch began.
        if self._may_be_unpublished:
            self._may_be_unpublished = not self._asked("the warehouse", self.is_published, False)
        return self._may_be_unpublished

    def _asked(self, name: str, ask: Callable[[], _Answer], otherwise: _Answer) -> _Answer:
        """An answer; another one where none can be had, which is told once, and once when it can be had again."""
        try:
            answer = ask()
        except (RunmartError, psycopg2.Error) as error:
            if name not in self._unreachable:
                self.tell(f"watch: {' '.join(str(error).split())}; looking on")
            self._unreachable.add(name)
            return otherwise
        if name in self._unreachable:
            self.tell(f"watch: {name} can be asked again")
            self._unreachable.remove(name)
        return answer


def watch(databases: Databases, seconds: float) -> None:
    """Watch all sources until the project has changed.

    Args:
        databases: Where everything is.
        seconds: Between two looks, at least.
    """
    state = project_state(PROJECT_ROOT)
    looks = {system: partial(_look, databases, contract) for system, contract in shared_contracts().items()}
    watching = Watch(looks, lambda: current_refresh(databases.warehouse()) is not None, _run, _tell)
    while project_state(PROJECT_ROOT) == state:
        started = time.monotonic()
        found = watching.look()
        # Looking shall take no more than half of the time.
        pause = max(seconds, time.monotonic() - started)
        if found is not None:
            watching.act(found)
        time.sleep(pause)


def _look(databases: Databases, contract: SystemContract) -> Mapping[str, Difference] | None:
    return look(contract, databases.url(contract.system), databases.warehouse().url)


def _run(systems: Sequence[str]) -> bool:
    """Run the command; its errors are a person's to read, its result goes to the log."""
    command = [str(Path(sys.executable).parent / "runmart"), "sync", *systems, "--refresh", "--json"]
    started = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, flush=True)
    try:
        reports = json.loads(done.stdout)
    except ValueError:
        return False
    if not isinstance(reports, list):
        # The one run that failed.
        return False
    publication = reports[-1]["assets"]["analytics/publication"]
    _tell(f"watch: refresh {publication['refresh_id']} is published, {time.monotonic() - started:.1f} s after the look")
    return True


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Watch; begin anew whenever the project has changed."""
    watch(find_databases(), float(sys.argv[1]))
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606


if __name__ == "__main__":
    main()
