"""`make bench-readers`: how long 200 analysts wait for their dashboards, while refreshes of the demo's marts are published.

Belongs here: the platform as the command sets it up, and when analysts are timed. Does not belong here: what they ask (`dashboards`,
`analysts`). Its last line is one JSON object with every figure.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import machine
from benchmarks.analysts import Answers, analysts
from benchmarks.dashboards import FRESHNESS, QUERIES
from benchmarks.grid import Grid
from benchmarks.servers import execute
from dagster_project.postgres.roles import ANALYST
from tests.beside import beside
from tests.waiting import until

RUNMART = str(Path(sys.executable).parent / "runmart")
SYSTEM = "forecast_tracking"
QUIET_SECONDS = 30
P95_BUDGET_MS = 50

_PAGE = """# What analysts wait for

`make bench-readers` on a machine with {cores} cores ({processor}), {memory} GB of memory, PostgreSQL {postgresql}, Python {python}, {date}.
Load of the machine when it began: {load}.

{connections} analysts are connected at once to the embedded server after `runmart demo`. Each asks one of {queries} dashboard queries
([dashboards.py](../../benchmarks/dashboards.py)), reads the answer, waits {pause:g} s on average and asks the next. First nothing else
happens for {quiet} s. Then metrics change at the source, `runmart sync` and `runmart refresh` follow, {refreshes} times. All processes
share the machine. A wait lasts from the question to the last row of the answer; the first question of a connection counts too.

{table}

Budget: p95 under {budget} ms, none failing. Failed: {failed}. Refreshes published meanwhile: {published}. Analysts that saw the last
of these at the end: {saw_last}.
"""


@dataclass(frozen=True)
class Waits:
    """What analysts waited for in one part of the time, in milliseconds."""

    part: str
    seconds: float
    queries: int
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True)
class _Part:
    name: str
    begin: float
    end: float


class _Platform:
    """A home of its own, with the demo in it."""

    def __init__(self, home: Path) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RUNMART_", "DAGSTER_", "DBT_"))},
            "RUNMART_HOME": str(home),
        }

    def run(self, *words: str) -> str:
        """What a command prints; its progress goes to ours."""
        return subprocess.run([RUNMART, *words], check=True, stdout=subprocess.PIPE, text=True, env=self._environment).stdout.strip()


def _change(url: str, number: int) -> None:
    """Another value for a tenth of the metrics."""
    execute(url, f"update metrics set metric_value = metric_value * 1.001 where metric_id % 10 = {number % 10}")


def _measure(platform: _Platform, connections: int, pause: float, refreshes: int) -> tuple[Answers, list[_Part], list[int]]:
    """Answers, the parts of the time, and the refreshes that were published."""
    analyst_url, source_url = platform.run("url", "analyst"), platform.run("url", SYSTEM)
    warehouse_url = platform.run("url", "warehouse")
    for query in QUERIES.values():
        execute(analyst_url, query)
    crowd, parts, published = analysts(analyst_url, connections, pause), [], []
    logged_in = f"select 1 from pg_stat_activity where usename = '{ANALYST}' having count(*) = {connections}"
    with beside(crowd):
        until(lambda: bool(execute(warehouse_url, logged_in)), seconds=60, pause=0.2)
        began = time.monotonic()
        time.sleep(QUIET_SECONDS)
        parts.append(_Part("nothing else", began, time.monotonic()))
        for number in range(refreshes):
            _change(source_url, number)
            for command in ("sync", "refresh"):
                began = time.monotonic()
                platform.run(command)
                parts.append(_Part(command, began, time.monotonic()))
            published += [refresh for (refresh,) in execute(warehouse_url, FRESHNESS)]
    return crowd.seen(), parts, published


def _waits(answers: Answers, parts: Sequence[_Part], *names: str) -> Waits:
    chosen = [part for part in parts if part.name in names]
    seconds = sorted(second for part in chosen for second in answers.seconds(part.begin, part.end))
    percent = quantiles(seconds, n=100, method="inclusive")
    return Waits(
        " and ".join(names),
        round(sum(part.end - part.begin for part in chosen), 1),
        len(seconds),
        *(round(1000 * value, 1) for value in (percent[49], percent[94], percent[98], seconds[-1])),
    )


def _grid(waits: Sequence[Waits]) -> Grid:
    header = ("meanwhile", "seconds", "queries", "p50, ms", "p95, ms", "p99, ms", "longest, ms")
    rows = [
        (each.part, f"{each.seconds:.0f}", f"{each.queries:,}", *(f"{value:.1f}" for value in (each.p50, each.p95, each.p99, each.longest)))
        for each in waits
    ]
    return Grid("Waits of analysts", header, rows)


def main(
    connections: Annotated[int, typer.Option(min=1, help="Analysts at a time.")] = 200,
    pause: Annotated[float, typer.Option(min=0.1, help="Seconds between two queries of an analyst.")] = 1.0,
    refreshes: Annotated[int, typer.Option(min=1, help="Refreshes that are published meanwhile.")] = 5,
    output: Annotated[Path, typer.Option(help="Folder for the page.")] = Path("docs/benchmarks"),
) -> None:
    """Measure what analysts wait for."""
    with tempfile.TemporaryDirectory(prefix="runmart_bench_readers_") as folder:
        platform = _Platform(Path(folder) / "home")
        platform.run("migrate")
        ((version,),) = execute(platform.run("url", "warehouse"), "show server_version")
        facts = machine.facts(version)
        try:
            platform.run("demo")
            answers, parts, published = _measure(platform, connections, pause, refreshes)
        finally:
            platform.run("down")
    waits = [_waits(answers, parts, *names) for names in (("nothing else",), ("sync",), ("refresh",), ("sync", "refresh"))]
    figures = {
        "machine": facts,
        "connections": connections,
        "pause_seconds": pause,
        "waits": [asdict(each) for each in waits],
        "failed": answers.reasons(),
        "refreshes": len(set(published)),
        "saw_last_refresh": answers.last_refresh.count(published[-1]),
        "is_in_budget": not answers.errors and all(each.p95 < P95_BUDGET_MS for each in waits),
    }
    Console(width=130).print(_grid(waits).for_terminal())
    output.mkdir(parents=True, exist_ok=True)
    page = _PAGE.format(
        **facts,
        connections=connections,
        queries=len(QUERIES),
        pause=pause,
        quiet=QUIET_SECONDS,
        refreshes=refreshes,
        table=_grid(waits).as_markdown(),
        budget=P95_BUDGET_MS,
        failed=sum(answers.reasons().values()),
        published=figures["refreshes"],
        saw_last=figures["saw_last_refresh"],
    )
    (output / "readers.md").write_text(page, encoding="utf-8")
    print(json.dumps(figures))


if __name__ == "__main__":
    typer.run(main)
