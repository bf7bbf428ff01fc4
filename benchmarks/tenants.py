"""`make bench-tenants`: what a sync of many tenants costs when none has anything new, and when one has.

Belongs here: tenants with made-up steps in bulk, and when the command is timed. Does not belong here: what a tenant's run does. Its last
line is one JSON object with every figure. The peer is psql, which asks the source and the warehouse of each tenant for the newest step, one
connection after the other: the least that anybody could do to find out that nothing is new.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import machine, psql
from benchmarks.grid import Grid
from benchmarks.servers import execute
from dagster_project.postgres.urls import on_database

RUNMART = str(Path(sys.executable).parent / "runmart")
SYSTEM = "llm_workflow"
BUDGET_SECONDS = 10

_ROWS = """
insert into prompts (step, version, content) values ('outline', 1, 'made up');
insert into runs (status, config)
select 'completed', '{{}}' from generate_series(1, {steps} / 10);
insert into steps (run_id, step, status, llm_model, prompt_version, token_usage, started_at, completed_at)
select
    id, 'outline', 'completed', 'claude-sonnet-4-5', 1,
    jsonb_build_object('input_tokens', 100 + number, 'output_tokens', 7),
    timestamp '2026-01-01' + number * interval '1 second', timestamp '2026-01-01' + number * interval '2 seconds'
from runs cross join generate_series(1, 10) as number;
"""
_CHANGE = "update steps set retry_count = retry_count + 1 where id = (select max(id) from steps)"

_PAGE = """# What many tenants cost

`make bench-tenants` on a machine with {cores} cores ({processor}), {memory} GB of memory, PostgreSQL {postgresql}, Python {python}, {date}.
Load of the machine when it began: {load}.

{tenants} tenants have {steps:,} steps each, in databases of their own on the embedded server. All were brought up to date once. Then
`runmart sync llm_workflow` is called, without a process that is warm. A time is from the command to its end. Work is the processor time of
the command and of all that it started, without the server's.

{table}

psql asks the source and the warehouse of each tenant for its newest step, one connection after the other. Budget for the work of a sync of
all tenants that finds nothing new: {budget} s.
"""


@dataclass(frozen=True)
class Cost:
    """What a command took, in seconds."""

    what: str
    wall: float
    work: float


def _timed(what: str, act: Callable[[], object]) -> Cost:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    act()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(what, round(time.monotonic() - began, 2), round(work, 2))


class _Home:
    """A home of its own."""

    def __init__(self, folder: Path) -> None:
        foreign = ("RUNMART_", "DAGSTER_", "DBT_")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self._environment["RUNMART_HOME"] = str(folder)

    def run(self, *words: str) -> str:
        """What a command prints."""
        return subprocess.run([RUNMART, *words], check=True, stdout=subprocess.PIPE, text=True, env=self._environment).stdout.strip()


def main(
    tenants: Annotated[int, typer.Option(min=1, help="How many tenants.")] = 100,
    steps: Annotated[int, typer.Option(min=10, help="Steps of each.")] = 10_000,
    output: Annotated[Path, typer.Option(help="Folder for the page.")] = Path("docs/benchmarks"),
) -> None:
    """Measure what a sync of all tenants costs."""
    names = [f"tenant-{number:03d}" for number in range(tenants)]
    with tempfile.TemporaryDirectory(prefix="runmart_bench_tenants_") as folder:
        home = _Home(Path(folder) / "home")
        home.run("migrate")
        shared = home.run("url", "warehouse")
        ((version,),) = execute(shared, "show server_version")
        facts = machine.facts(version)
        sources = {name: on_database(shared, f"{SYSTEM}__{name}") for name in names}
        warehouses = {name: on_database(shared, f"warehouse__{SYSTEM}__{name}") for name in names}
        try:
            for name in names:
                home.run("tenant", "add", name)
                execute(sources[name], _ROWS.format(steps=steps))
            costs = [_timed("all for the first time", lambda: home.run("sync", SYSTEM))]
            costs.append(_timed("nothing new", lambda: home.run("sync", SYSTEM)))
            execute(sources[names[0]], _CHANGE)
            costs.append(_timed("one step of one tenant has changed", lambda: home.run("sync", SYSTEM)))
            costs.append(_timed("psql", lambda: _ask(sources, warehouses)))
        finally:
            home.run("down")
    by_name = {cost.what: cost for cost in costs}
    nothing, peer = by_name["nothing new"], by_name["psql"]
    figures = {
        "machine": facts,
        "tenants": tenants,
        "steps": steps,
        "costs": [asdict(cost) for cost in costs],
        "nothing_new_seconds": nothing.wall,
        "nothing_new_work_seconds": nothing.work,
        "nothing_new_work_of_a_tenant_ms": round(1000 * nothing.work / tenants, 1),
        "nothing_new_wall_to_psql": round(nothing.wall / peer.wall, 2),
        "is_in_budget": nothing.work <= BUDGET_SECONDS,
    }
    rows = [(cost.what, f"{cost.wall:.1f}", f"{cost.work:.1f}", f"{1000 * cost.wall / tenants:.0f}") for cost in costs]
    grid = Grid("Tenants", ("sync of all tenants", "seconds", "work, s", "ms for each tenant"), rows)
    Console(width=130).print(grid.for_terminal())
    output.mkdir(parents=True, exist_ok=True)
    page = _PAGE.format(**facts, tenants=tenants, steps=steps, table=grid.as_markdown(), budget=BUDGET_SECONDS)
    (output / "tenants.md").write_text(page, encoding="utf-8")
    print(json.dumps(figures))


def _ask(sources: dict[str, str], warehouses: dict[str, str]) -> None:
    for name, source in sources.items():
        psql.run(source, "select max(id), max(started_at) from steps")
        psql.run(warehouses[name], "select max(id), max(started_at) from raw_llm_workflow.steps")


if __name__ == "__main__":
    typer.run(main)
