"""`make bench-refresh SIZE=10000000`: what a refresh of the marts costs beside `REFRESH MATERIALIZED VIEW CONCURRENTLY` and a full rebuild.

Belongs here: the command, and who takes turns. Does not belong here: the rows (`tracking_history`) and how results are shown
(`refresh_report`). Its last line is one JSON object with every figure.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import forecast_history, machine, refresh_report, tracking_history
from benchmarks.refresh_report import FixedCost, LateActuals, Measured, Refreshes
from benchmarks.servers import ServerPair, execute, server_pair
from benchmarks.stopwatch import PeakMemory, measure
from benchmarks.tracking_history import SYSTEM, Spread
from benchmarks.warm_marts import WarmMarts
from dagster_project.contracts.loading import load_contracts
from dagster_project.ingestion.sync import sync
from dagster_project.settings import url_variable

# Scattered changes touch all groups, however few they are: one share shows it, and more would take most of the time.
SHARES = {Spread.RECENT: (0.0001, 0.001, 0.01, 0.1), Spread.SCATTERED: (0.01,)}
SUMMARY_MARTS = ("experiment_summary", "model_performance")
FORECAST_MARTS = ("forecast_accuracy", "forecast_interval_accuracy", "model_leaderboard")
CUTOFFS = (500, 5_000)

# Recent changes up to a number are made, and followed, so many times, because the machine is faster at one time than at another.
_ROUNDS = 3
_MOST_CHANGES_REPEATED = 1_000_000

_TURNS = 5

_REFRESH_VIEWS = (
    "refresh materialized view concurrently mv_experiment_summary",
    "refresh materialized view concurrently mv_model_performance",
)
# Milliseconds in which the server was busy with statements of this database.
_ACTIVE = "select active_time from pg_stat_database where datname = current_database()"


@dataclass(frozen=True)
class _House:
    """A source, the warehouse that was synced from it, and its marts."""

    servers: ServerPair
    source_url: str
    warehouse_url: str
    marts: WarmMarts

    def sync(self) -> None:
        """Bring raw up to date; not part of what is measured here."""
        sync(load_contracts()[SYSTEM], self.source_url, self.warehouse_url)

    def measured(self, name: str, url: str, work: Callable[[], object]) -> Measured:
        """Do the work once: wall time, time of the database, memory."""
        before = _active_seconds(url)
        with PeakMemory(self.servers) as memory:
            timing = measure(self.servers, work)
        return Measured(name, timing.seconds, _active_seconds(url) - before, memory.client_bytes, memory.server_bytes)

    def refresh_views(self) -> Measured:
        """The source's own way."""

        def work() -> None:
            for statement in _REFRESH_VIEWS:
                execute(self.source_url, statement)

        return self.measured("views", self.source_url, work)

    def refresh_marts(self, name: str, *marts: str, full: bool = False) -> Measured:
        """A refresh of these marts, or of all, up to its publication."""
        return self.measured(name, self.warehouse_url, lambda: self.marts.refresh(*marts, full=full))

    def follow_changes(self) -> tuple[Measured, Measured, Measured]:
        """Bring the views, the two summary marts and all marts up to date, one after the other."""
        views = self.refresh_views()
        self.sync()
        return views, self.refresh_marts("summary marts", *SUMMARY_MARTS), self.refresh_marts("all marts")

    def nothing_new(self, work: Path) -> FixedCost:
        """`runmart refresh` when nothing has changed, in turns with a start of dbt that does nothing."""
        environment = {
            **os.environ,
            "RUNMART_HOME": str(work),
            "RUNMART_WAREHOUSE_URL": self.warehouse_url,
            url_variable(SYSTEM): self.source_url,
        }

        def seconds(*command: str) -> float:
            started = time.monotonic()
            subprocess.run([Path(sys.executable).parent / command[0], *command[1:]], env=environment, capture_output=True, check=True)
            return time.monotonic() - started

        turns = [(seconds("runmart", "refresh"), seconds("dbt", "--help")) for _ in range(_TURNS)]
        return FixedCost(*(round(median(each), 2) for each in zip(*turns, strict=True)))


def _active_seconds(url: str) -> float:
    ((milliseconds,),) = execute(url, _ACTIVE)
    return float(milliseconds) / 1000


def _measure(servers: ServerPair, metrics: int, tell: Callable[[str], None]) -> Refreshes:
    """Everything at one size."""
    with tempfile.TemporaryDirectory(prefix="runmart_bench_dbt_") as work:
        source_url, warehouse_url = servers.source.new_database(SYSTEM), servers.warehouse.new_database("warehouse")
        tracking_history.create(source_url, metrics)
        house = _House(servers, source_url, warehouse_url, WarmMarts(warehouse_url, Path(work)))
        house.sync()
        full = house.refresh_marts("full")
        tell(f"{metrics:,} metrics: full build {full}")
        steps: list[tuple[float, str, tuple[Measured, ...]]] = []
        seeds = itertools.count(1)
        for spread, shares in SHARES.items():
            for share in shares:
                changes = round(metrics * share)
                rounds = _ROUNDS if spread is Spread.RECENT and changes <= _MOST_CHANGES_REPEATED else 1
                measured = []
                for _ in range(rounds):
                    tracking_history.change(source_url, changes, spread, next(seeds))
                    measured.append(house.follow_changes())
                    tell(f"{metrics:,} metrics, {share:.2%} {spread}: {'; '.join(map(str, measured[-1]))}")
                steps.append((share, spread.value, tuple(refresh_report.median_of(each) for each in zip(*measured, strict=True))))
        fixed = house.nothing_new(Path(work))
        tell(f"{metrics:,} metrics: {fixed}")
        rebuilt = house.refresh_marts("full", full=True)
        tell(f"{metrics:,} metrics: full rebuild {rebuilt}")
        servers.source.drop(source_url)
        servers.warehouse.drop(warehouse_url)
    return Refreshes(metrics, full, rebuilt, fixed, tuple(steps))


def _measure_late_actuals(servers: ServerPair, cutoffs: int, tell: Callable[[str], None]) -> LateActuals:
    """A day's actual values come in, in a history of so many cutoffs."""
    with tempfile.TemporaryDirectory(prefix="runmart_bench_dbt_") as work:
        source_url, warehouse_url = servers.source.new_database(SYSTEM), servers.warehouse.new_database("warehouse")
        predictions = forecast_history.create(source_url, cutoffs)
        house = _House(servers, source_url, warehouse_url, WarmMarts(warehouse_url, Path(work)))
        house.sync()
        house.refresh_marts("full")
        refreshed = []
        for day in range(cutoffs + 1, cutoffs + 1 + _ROUNDS):
            forecast_history.reveal(source_url, day)
            house.sync()
            refreshed.append(house.refresh_marts("a day's actual values", *FORECAST_MARTS))
            house.refresh_marts("all marts")
            tell(f"{cutoffs:,} cutoffs, {predictions:,} predictions: {refreshed[-1]}")
        rebuilt = house.refresh_marts("rebuild", *FORECAST_MARTS, full=True)
        tell(f"{cutoffs:,} cutoffs, {predictions:,} predictions: {rebuilt}")
        servers.source.drop(source_url)
        servers.warehouse.drop(warehouse_url)
    return LateActuals(cutoffs, predictions, refresh_report.median_of(refreshed), rebuilt)


def main(
    size: Annotated[int, typer.Option(min=100_000, help="Metrics in the larger history; the smaller one has a tenth of it.")] = 10_000_000,
    output: Annotated[Path, typer.Option(help="Folder for the table, the plot and the figures.")] = Path("docs/benchmarks"),
) -> None:
    """Measure refreshes beside the source's materialized views and a full rebuild."""
    tell = Console(stderr=True).print
    with server_pair() as servers:
        facts = machine.facts(servers.source.version)
        refreshes = tuple(_measure(servers, metrics, tell) for metrics in (size // 10, size))
        late = tuple(_measure_late_actuals(servers, cutoffs, tell) for cutoffs in CUTOFFS)
    figures = refresh_report.figures(facts, refreshes, late)
    refresh_report.print_tables(refreshes, late)
    refresh_report.write(output, figures, refreshes, late)
    print(json.dumps(figures))


if __name__ == "__main__":
    typer.run(main)
