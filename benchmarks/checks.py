"""`make bench-checks SIZE=10000000`: what checks cost beside Great Expectations, and how long a change is on its way with all of them.

Belongs here: the command, and who takes turns. Does not belong here: the rows (`tracking_history`). Its last line is one JSON object with
every figure.
"""

import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import commit_to_mart, machine, tracking_history
from benchmarks.commit_to_mart import Seconds
from benchmarks.grid import Grid
from benchmarks.servers import ServerPair, execute, server_pair
from benchmarks.stopwatch import PeakMemory, measure
from benchmarks.tracking_history import SYSTEM, Spread
from dagster_project.contracts.loading import load_contracts
from dagster_project.ingestion.sync import sync
from dagster_project.quality.native import native_verdicts
from dagster_project.quality.quarantine import bring_up_to_date as set_aside
from dagster_project.quality.suites import load_suites
from dagster_project.quality.validation import Project, validations

# The same number of changes in both histories.
_FEW_CHANGES = 10_000
_SHARE = 0.01
_ROUNDS = 3

# Named so that a budget is found by its name.
_BUDGETS = (
    ("native_seconds", "Great Expectations, all rows, seconds", "none"),
    ("compiled_seconds", "compiled, all rows, seconds", "none"),
    ("speedup_native", "all rows, times cheaper than Great Expectations", "at least 5"),
    ("speedup_1pct_batch", "after 1% has changed, times cheaper than Great Expectations", "at least 50"),
    ("growth_when_history_x10", "the same number of changes in a history ten times larger", "at most 1.5"),
    ("sync_nothing_changed_seconds", "a sync in which nothing has changed, with its checks, seconds", "at most 1"),
    ("peak_memory_mb", "peak memory of the process, MB", "at most 400"),
    ("commit_to_mart_seconds", "one changed metric, from its commit to the mart, `sync --refresh` beside `up`, seconds", "at most 3"),
    ("commit_to_mart_cold_seconds", "the same without `up`, seconds", "at most 6"),
    ("commit_to_mart_watched_seconds", "the same with `up --watch`, seconds", "at most 10"),
)

_PAGE = """# What checks cost

`make bench-checks SIZE={size}` checks the raw tables of a tracking server with {size:,} metrics, and with a tenth of them: by Great
Expectations as it is, which reads all rows each time, and compiled ([ADR 16](../adr/0016-compile-checks.md)).
Measured on {machine}.
Times are in seconds.

{histories}

## From the commit of one changed metric to the published mart

All checks included; the median of three, on servers without anything else to do
([ADR 17](../adr/0017-warm-process.md)).

{ways}

## Against the budgets

{budgets}

All figures: [checks.json](checks.json).
"""

PROJECT = Project(load_contracts())
SUITES = [suite for suite in load_suites().values() if suite.system == SYSTEM]


@dataclass(frozen=True)
class Checks:
    """What checking all raw tables costs in a history of so many metrics, in seconds.

    Attributes:
        metrics: How many there are.
        native: Great Expectations, all rows.
        compiled: Compiled checks, all rows.
        few: Compiled checks after 10,000 changes.
        share: Compiled checks after a hundredth of the metrics has changed.
        nothing: A sync in which nothing has changed, with its checks.
        peak_bytes: Memory of this process at its peak, while compiled checks asked about all rows.
    """

    metrics: int
    native: float
    compiled: float
    few: float
    share: float
    nothing: float
    peak_bytes: int


def _check_natively(url: str) -> None:
    for suite in SUITES:
        native_verdicts(url, suite)


def _measure(servers: ServerPair, metrics: int, native_process: Executor, tell: Callable[[str], None]) -> Checks:
    source_url, warehouse_url = servers.source.new_database(SYSTEM), servers.warehouse.new_database("warehouse")
    tracking_history.create(source_url, metrics)

    def bring_up_to_date() -> None:
        sync(PROJECT.contracts[SYSTEM], source_url, warehouse_url)

    def check(*, everything: bool = False) -> None:
        list(validations(warehouse_url, SUITES, PROJECT, everything=everything))
        set_aside(warehouse_url, PROJECT.contracts[SYSTEM], SUITES)

    def after(changes: int, seed: int) -> float:
        tracking_history.change(source_url, changes, Spread.RECENT, seed)
        bring_up_to_date()
        return measure(servers, check).seconds

    bring_up_to_date()
    # As the server would have done by itself before long.
    execute(warehouse_url, "vacuum analyze")
    with PeakMemory(servers) as memory:
        compiled = measure(servers, lambda: check(everything=True)).seconds
    tell(f"{metrics:,} metrics: compiled, all rows, {compiled:.2f} s, {memory.client_bytes / 2**20:.0f} MB")
    few = median(after(_FEW_CHANGES, seed) for seed in range(_ROUNDS))
    tell(f"{metrics:,} metrics: after {_FEW_CHANGES:,} changes {few:.2f} s")
    share = median(after(round(metrics * _SHARE), _ROUNDS + seed) for seed in range(_ROUNDS))
    tell(f"{metrics:,} metrics: after {_SHARE:.0%} {share:.2f} s")

    def nothing_changed() -> None:
        bring_up_to_date()
        check()

    nothing = median(measure(servers, nothing_changed).seconds for _ in range(_ROUNDS))
    tell(f"{metrics:,} metrics: nothing changed {nothing:.2f} s")
    native = measure(servers, native_process.submit(_check_natively, warehouse_url).result).seconds
    tell(f"{metrics:,} metrics: Great Expectations, all rows, {native:.2f} s")
    servers.source.drop(source_url)
    servers.warehouse.drop(warehouse_url)
    return Checks(metrics, native, compiled, few, share, nothing, memory.client_bytes)


def main(
    size: Annotated[int, typer.Option(min=100_000, help="Metrics in the larger history; the smaller one has a tenth of it.")] = 10_000_000,
    output: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("docs/benchmarks"),
) -> None:
    """Measure checks beside Great Expectations."""
    tell = Console(stderr=True).print
    # Great Expectations has a process of its own: the memory of this one is that of compiled checks.
    apart = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    with server_pair() as servers, apart as native_process:
        facts = machine.facts(servers.source.version)
        small, large = (_measure(servers, metrics, native_process, tell) for metrics in (size // 10, size))
        ways = commit_to_mart.measure(servers, size, tell)
    found = figures(facts, small, large, ways)
    grids = _histories((small, large)), _ways(ways), _budgets(found)
    for grid in grids:
        Console().print(grid.for_terminal())
    where = ", ".join(f"{name} {value}" for name, value in facts.items())
    histories, ways_there, budgets = (grid.as_markdown() for grid in grids)
    page = _PAGE.format(size=size, machine=where, histories=histories, ways=ways_there, budgets=budgets)
    (output / "checks.md").write_text(page, encoding="utf-8")
    (output / "checks.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found))


def figures(facts: Mapping[str, object], small: Checks, large: Checks, ways: Seconds) -> dict[str, Any]:
    """All measured times, and the ratios that budgets are stated in."""
    return {
        "machine": facts,
        "histories": [asdict(small), asdict(large)],
        "commit_to_mart": asdict(ways),
        "native_seconds": round(large.native, 2),
        "compiled_seconds": round(large.compiled, 2),
        "speedup_native": round(large.native / large.compiled, 1),
        "speedup_1pct_batch": round(large.native / large.share, 1),
        "growth_when_history_x10": round(large.few / small.few, 2),
        "sync_nothing_changed_seconds": round(large.nothing, 2),
        "peak_memory_mb": round(large.peak_bytes / 2**20),
        "commit_to_mart_seconds": round(ways.warm, 2),
        "commit_to_mart_cold_seconds": round(ways.cold, 2),
        "commit_to_mart_watched_seconds": round(ways.watched, 2),
    }


def _histories(measured: Sequence[Checks]) -> Grid:
    header = ("metrics", "Great Expectations", "compiled", "10,000 changes", "1% changed", "nothing changed", "MB")
    rows = [
        (f"{each.metrics:,}", *(f"{seconds:.2f}" for seconds in (each.native, each.compiled, each.few, each.share, each.nothing)),
         f"{each.peak_bytes / 2**20:.0f}")
        for each in measured
    ]  # fmt: skip
    return Grid("Checks of the raw tables, in seconds", header, rows)


def _ways(ways: Seconds) -> Grid:
    rows = [
        ("`sync`, then `refresh`", f"{ways.cold_commands:.2f}"),
        ("`sync --refresh`", f"{ways.cold:.2f}"),
        ("`sync --refresh` beside `up`", f"{ways.warm:.2f}"),
        ("`up --watch`, nothing typed", f"{ways.watched:.2f}"),
    ]
    return Grid("From commit to mart", ("way", "seconds"), rows)


def _budgets(found: Mapping[str, Any]) -> Grid:
    return Grid("Budgets", ("work", "budget", "measured"), [(work, budget, str(found[name])) for name, work, budget in _BUDGETS])


if __name__ == "__main__":
    typer.run(main)
