"""Syncs after changes, by capture mode, beside a full reload by the `psql` pipe and dlt's incremental loading.

Belongs here: which changes come and who copies them in which order. Does not belong here: how each works (`contenders`).
"""

import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from benchmarks import contenders, metrics_table
from benchmarks.contenders import Contender
from benchmarks.judge import wrong_rows
from benchmarks.servers import ServerPair
from benchmarks.stopwatch import Timing, median_timing
from dagster_project.contracts.raw_columns import IS_LIVE
from dagster_project.ingestion import slot
from dagster_project.ingestion.errors import SyncError

CHANGES = (0, 100, 100_000, 1_000_000)
MODES: tuple[Literal["horizon", "cdc"], ...] = ("horizon", "cdc")
RELOAD = "full reload"
DLT = "dlt incremental"

# A reload costs the same whatever has changed: it is measured beside one number of changes.
RELOADED_AT = 100_000

# Syncs of less than a second are measured more than once.
_REPEATS = {0: 3, 100: 3}

_LIVE_ROWS = {
    "horizon": f"raw_forecast_tracking.metrics where {IS_LIVE}",
    "cdc": f"raw_forecast_tracking.metrics where {IS_LIVE}",
    RELOAD: "piped",
    DLT: "peer.metrics",
}


@dataclass(frozen=True)
class Step:
    """What it cost to copy some changes.

    Attributes:
        way: A capture mode, a full reload or dlt.
        changes: Rows inserted, updated and deleted since the copy before.
        timing: What the copy cost; the median where it was repeated.
        wrong_rows: Rows of the copy that differed from the source afterwards, those that earlier steps left wrong included.
    """

    way: str
    changes: int
    timing: Timing
    wrong_rows: int


@dataclass(frozen=True)
class Incremental:
    """All steps on one table of that many rows at the beginning."""

    rows: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class _Copy:
    """One way of copying, and the database that it keeps up to date."""

    way: str
    contender: Contender
    target_url: str


def measure_incremental(servers: ServerPair, rows: int, with_dlt: bool, tell: Callable[[str], None]) -> Incremental:
    """Change a table of that many rows again and again and measure every way of copying the changes.

    Args:
        servers: Where source and targets are.
        rows: Size of the table at the beginning.
        with_dlt: Whether dlt takes part, whose first load of a large table takes long.
        tell: Called with each result as it comes.
    """
    seeds = itertools.count()
    with _changing_source(servers, rows) as source_url, tempfile.TemporaryDirectory(prefix="runmart_bench_dlt_") as dlt_state:
        copies = [*_modes(servers, source_url, tell), _copy(servers, RELOAD, contenders.pipe(servers, metrics_table.contract("horizon")))]
        if with_dlt:
            dlt = contenders.peer(servers, DLT, "dlt_load", "pyarrow", "default", dlt_state)
            copies.append(_copy(servers, DLT, dlt))
        for copy in copies:
            tell(f"{rows:,} rows, {copy.way}: {copy.contender.load(source_url, copy.target_url).seconds:.1f} s for the first load")
        steps: list[Step] = []
        for changes in CHANGES:
            if metrics_table.can_change(rows, changes):
                for step in _measure_changes(source_url, changes, seeds, copies):
                    steps.append(step)
                    tell(f"{rows:,} rows, {changes:,} changed, {step.way}: {step.timing.seconds:.2f} s, {step.wrong_rows:,} rows wrong")
        for copy in copies:
            servers.warehouse.drop(copy.target_url)
        return Incremental(rows, tuple(steps))


def _measure_changes(source_url: str, changes: int, seeds: Iterator[int], copies: Sequence[_Copy]) -> list[Step]:
    taking_part = [copy for copy in copies if copy.way != RELOAD or changes == RELOADED_AT]
    timings: dict[str, list[Timing]] = {copy.way: [] for copy in taking_part}
    for _ in range(_REPEATS.get(changes, 1)):
        seed = next(seeds)
        metrics_table.change(source_url, changes, seed)
        first = seed % len(taking_part)
        for copy in (*taking_part[first:], *taking_part[:first]):
            timings[copy.way].append(copy.contender.load(source_url, copy.target_url))
    return [
        Step(copy.way, changes, median_timing(timings[copy.way]), wrong_rows(source_url, copy.target_url, _LIVE_ROWS[copy.way]))
        for copy in taking_part
    ]


@contextmanager
def _changing_source(servers: ServerPair, rows: int) -> Iterator[str]:
    url = servers.source.new_database(metrics_table.SYSTEM)
    metrics_table.create(url, rows)
    yield url
    slot.disable(metrics_table.contract("cdc"), url)
    servers.source.drop(url)


def _modes(servers: ServerPair, source_url: str, tell: Callable[[str], None]) -> Iterator[_Copy]:
    for mode in MODES:
        contract = metrics_table.contract(mode)
        if mode == "cdc":
            try:
                slot.enable(contract, source_url)
            except SyncError as error:
                tell(f"{mode} is left out: {error}")
                continue
        yield _copy(servers, mode, contenders.ours(servers, contract))


def _copy(servers: ServerPair, way: str, contender: Contender) -> _Copy:
    return _Copy(way, contender, servers.warehouse.new_database(contender.target))
