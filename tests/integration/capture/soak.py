"""The soak: one way of copying for some seconds, with writers, hazards, kills and crashes, every sync judged.

Belongs here: the random plan of a soak and its count. Does not belong here: its parts (`writers`, `hazards`, `attempts`, `judge`).
"""

import random
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

from dagster_project.ingestion.events import Stage
from tests.integration.capture import attempts
from tests.integration.capture.attempts import Attempt, Ending, KillPoint, attempt
from tests.integration.capture.hazards import disturbing
from tests.integration.capture.judge import Judge
from tests.integration.capture.modes import Mode
from tests.integration.capture.oracle import Difference
from tests.integration.capture.places import Place
from tests.integration.capture.writers import Habits, fill, writing

# A mode that has not had the syncs asked for after so many attempts will not have them.
_HOPELESS = 300


@dataclass(frozen=True)
class Weather:
    """How rough a soak is.

    Attributes:
        habits: How the writers behave.
        hazard_pause_seconds: Between two hazards, on average.
        kill_share: Share of syncs that are killed.
        crash_share: Share of syncs during which one of the two servers crashes.
    """

    habits: Habits = field(default_factory=Habits)
    hazard_pause_seconds: float = 1.5
    kill_share: float = 0.6
    crash_share: float = 0.04


@dataclass
class Tally:
    """What came of a soak.

    Attributes:
        name: The mode.
        difference: What was wrong, after each sync of an exact mode and at the end.
        kills: Syncs that were ended by SIGKILL.
        crashes: Immediate crashes of a server.
        syncs: Syncs that ended well.
        failures: What syncs that failed said, without numbers, and how often.
        seconds: How long it took.
    """

    name: str
    difference: Difference = field(default_factory=Difference)
    kills: int = 0
    crashes: int = 0
    syncs: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def attempts(self) -> int:
        """Syncs, however they ended."""
        return self.syncs + self.kills + self.failures.total()

    def as_json(self) -> dict[str, str | int | float]:
        """The line of a report."""
        found = self.difference
        counts = {"lost": found.lost, "extra": found.extra, "stale": found.stale, "kills": self.kills, "syncs": self.syncs}
        return {"name": self.name, **counts, "crashes": self.crashes, "failures": self.failures.total(), "seconds": round(self.seconds, 1)}


def soak(
    name: str, mode: Mode, place: Place, seconds: float, seed: str, weather: Weather, report: Callable[[str], None], least_syncs: int = 0
) -> Tally:
    """Copy for some seconds in bad weather, then once more when all is quiet.

    Args:
        name: The mode's name.
        mode: The way of copying.
        place: Where; the databases are empty but for the source's tables.
        seconds: For how long writers write, at least.
        seed: Same seed, same plan; what the writers and the servers make of it still depends on the moment.
        weather: How rough it is.
        report: Told of every difference and every failure.
        least_syncs: Syncs that must have ended well before it ends, however slow the machine is; a mode that cannot ends all the same.
    """
    started = time.monotonic()
    fill(place.source_url, seed)
    mode.set_up(place.source_url, place.warehouse_url)
    run = _Soak(mode, place, weather, random.Random(f"plan {seed}"), Judge(mode.contract, place.source_url, place.warehouse_url), report)  # noqa: S311
    tally = run.tally = Tally(name)
    hazards = disturbing(place.source_url, seed, mode.contract.capture == "cdc", weather.hazard_pause_seconds)
    with writing(place.source_url, seed, weather.habits), hazards if mode.is_exact else nullcontext():
        while time.monotonic() - started < seconds or (tally.syncs < least_syncs and tally.attempts < _HOPELESS):
            run.step()
    run.end()
    tally.seconds = time.monotonic() - started
    return tally


@dataclass
class _Soak:
    mode: Mode
    place: Place
    weather: Weather
    dice: random.Random
    judge: Judge
    report: Callable[[str], None]
    tally: Tally = field(default_factory=lambda: Tally(""))

    def step(self) -> None:
        """One sync, left alone, killed at a stage, killed at any moment, or with a server crashing meanwhile."""
        fate = self.dice.random()
        moment = self.dice.expovariate(1 / 0.15)
        if fate < self.weather.crash_share and self.mode.is_exact:
            self._try(disturb_after=moment, disturb=lambda _: self._crash())
        elif fate < self.weather.crash_share + self.weather.kill_share / 2:
            stage = self.dice.choice(list(Stage))
            self._try(kill_at=KillPoint(stage, self.dice.choice((1, 1, 2, 3, 5))))
        elif fate < self.weather.crash_share + self.weather.kill_share:
            self._try(disturb_after=moment)
        else:
            self._try()

    def end(self) -> None:
        """Two syncs when all is quiet: the first may still find what a hazard left behind, such as a dropped slot."""
        for _ in range(2):
            ended = self._try()
            if ended.ending is not Ending.DONE:
                self.report(f"the sync at the end failed: {ended.error}")
        self._count(self.judge.final(), "at the end")

    def _try(
        self, kill_at: KillPoint | None = None, disturb_after: float | None = None, disturb: Callable[[int], None] = attempts.kill
    ) -> Attempt:
        copy = partial(self.mode.copy, self.place.source_url, self.place.warehouse_url)
        seen = attempt(copy, self.judge.on_snapshot, kill_at, disturb_after, disturb)
        self.tally.kills += seen.ending is Ending.KILLED
        self.tally.syncs += seen.ending is Ending.DONE
        if seen.ending is Ending.FAILED:
            self.tally.failures[re.sub(r"\d+", "N", seen.error)] += 1
        if self.mode.is_exact:
            self._count(self.judge.verdict(seen), f"sync {self.tally.syncs}, {seen.ending} after {seen.stages[-1:]}")
        return seen

    def _count(self, difference: Difference, when: str) -> None:
        if difference.total:
            self.report(f"{when}: {difference}")
        self.tally.difference += difference

    def _crash(self) -> None:
        server = self.dice.choice((self.place.source_server, self.place.warehouse_server))
        server.crash()
        server.start()
        self.tally.crashes += 1
