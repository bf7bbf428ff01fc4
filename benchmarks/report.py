"""How the results of the ingestion benchmark are shown: a table for the terminal, a page, a plot.

Belongs here: words and columns. Does not belong here: figures (`results`).
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import contenders, incremental
from benchmarks.first_load import FirstLoads
from benchmarks.grid import Grid
from benchmarks.incremental import Incremental
from benchmarks.many_tables import ManyTables
from benchmarks.results import Figures, Results, first_load_ratios

FIGURES = "ingest.json"

_PAGE = """# What ingestion costs

`make bench-ingest` on a machine with {cores} cores ({processor}), {memory} GB of memory, PostgreSQL {postgresql},
Python {python}, {date}. Load of the machine when it began: {load}.

![Times]({plot})

{first_loads}

* Source and target are two servers on this machine with durable settings (`fsync` and `synchronous_commit` on). Each load goes into
  a new database, and both servers write out their memory before each. Runmart and the two pipes take turns for three rounds (two above
  five million rows), the order rotating; the figure is the median. Peers load once.
* Runmart's time is a whole sync: snapshot, schema, copy, indexes, statistics, state, commit. The pipe is
  `psql COPY TO STDOUT | psql COPY FROM STDIN` in text; once into a table without any index, once into the columns of a raw table
  followed by the indexes and statistics that a raw table has, which is where Runmart ends too. Peers make no index.
* A peer's time does not include the start of its interpreter and its imports; everything that it sets up afterwards is in it.
* CPU seconds are those of the copying processes and, apart, of both PostgreSQL servers.
* Scaled: measured at an eightieth and a twentieth of the rows and drawn on along the line through both.
* ingestr and newer versions of Sling are not among the peers: their packages download a program from elsewhere when they first run.

{many_tables}

## Syncs after changes

60% of the changes are inserts, 30% updates in place that touch no timestamp, 10% deletes, at random places. All ways copy the same
changes, in turns, and the source reads its table once before that: the first to read changed rows writes their pages again, which shall
not fall to whoever comes first. 0 and 100 changes are measured three times; the figure is the median. *wrong* counts rows of the copy that
differ from the source afterwards, compared row by row without Runmart's code; dlt's cursor on `timestamp` sees no update and no delete.

{incremental}

## Against the budgets

{budgets}

All figures: [ingest.json](ingest.json).
"""

_MANY_TABLES = """## {title}

The n-th table has an n-th of the rows of the largest. Each number of connections (`limits.connections`) loads all of them into a new
database, in turns for {rounds} rounds. The times are medians; how many times as fast is the median of the ratios of each round.

{grid}"""


def print_tables(results: Results) -> None:
    """All tables, to the terminal."""
    console = Console(width=130)
    for loads in results.first_loads:
        console.print(_first_loads(loads).for_terminal())
    if results.many_tables:
        console.print(_many_tables(results.many_tables).for_terminal())
    console.print(_syncs(results.incremental).for_terminal())


def write(folder: Path, results: Results, size: int) -> None:
    """`ingest.json`, `ingest.png` and `ingest.md`; ratios of the first load at the top of the figures are those of one size."""
    folder.mkdir(parents=True, exist_ok=True)
    file, plot = folder / FIGURES, folder / "ingest.png"
    figures = results.figures(size)
    file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    subprocess.run([contenders.PEER_PYTHON, "-m", "benchmarks.peers.plot_ingest", file, plot], cwd=contenders.ROOT, check=True)
    page = _PAGE.format(
        **results.machine,
        plot=plot.name,
        first_loads="\n\n".join(f"## {grid.title}\n\n{grid.as_markdown()}" for grid in map(_first_loads, results.first_loads)),
        many_tables=_many_tables_page(results.many_tables) if results.many_tables else "",
        incremental=_syncs(results.incremental).as_markdown(),
        budgets=_budgets(results, figures).as_markdown(),
    )
    (folder / "ingest.md").write_text(page, encoding="utf-8")


def _first_loads(measured: FirstLoads) -> Grid:
    ours = next(load for load in measured.loads if load.name == contenders.OURS)
    rows = [
        (
            load.name,
            f"{load.timing.seconds:,.1f}" + (" (scaled)" if load.measured_rows < measured.rows else ""),
            f"{load.timing.seconds / ours.timing.seconds:,.2f}",
            f"{load.timing.client_cpu_seconds:,.1f}",
            f"{load.timing.server_cpu_seconds:,.1f}",
        )
        for load in sorted(measured.loads, key=lambda load: load.timing.seconds)
    ]
    title = f"First load of {measured.rows:,} rows"
    return Grid(title, ("way", "seconds", "times Runmart's", "CPU seconds", "CPU seconds of the servers"), rows)


def _many_tables(measured: ManyTables) -> Grid:
    speedups = measured.speedups()
    rows = [
        (
            f"{load.connections}",
            f"{load.timing.seconds:,.1f}",
            f"{speedups[load.connections]:.2f}",
            f"{load.timing.client_cpu_seconds:,.1f}",
            f"{load.timing.server_cpu_seconds:,.1f}",
        )
        for load in measured.loads
    ]
    header = ("connections to the source", "seconds", "times as fast as over one", "CPU seconds", "CPU seconds of the servers")
    return Grid(f"First load of {measured.tables} tables with {measured.rows:,} rows", header, rows)


def _many_tables_page(measured: ManyTables) -> str:
    grid = _many_tables(measured)
    return _MANY_TABLES.format(title=grid.title, grid=grid.as_markdown(), rounds=len(measured.loads[0].rounds))


def _syncs(syncs: Sequence[Incremental]) -> Grid:
    rows = [
        (
            f"{table.rows:,}",
            f"{step.changes:,}",
            step.way,
            f"{step.timing.seconds:,.2f}",
            f"{step.timing.client_cpu_seconds:,.2f}",
            f"{step.timing.server_cpu_seconds:,.2f}",
            f"{step.wrong_rows:,}",
        )
        for table in syncs
        for step in table.steps
    ]
    header = ("rows", "changes", "way", "seconds", "CPU seconds", "CPU seconds of the servers", "wrong")
    return Grid("Syncs after changes", header, rows)


def _budgets(results: Results, figures: Figures) -> Grid:
    speedups, growth = figures["full_reload_speedup_at_1pct_of_10m"], figures["growth_when_table_x10"]
    rows = [
        *(row for loads in results.first_loads for row in _first_load_budgets(loads)),
        *(
            (f"1% of 10 million rows changed, {mode}, against a reload", "20 times faster", f"{x:.1f}")
            for mode, x in (speedups or {}).items()
        ),
        *(
            (f"{incremental.RELOADED_AT:,} changes when the table is ten times larger, {mode}", "at most 1.5 times", f"{x:.2f}")
            for mode, x in ((mode, by_changes.get(incremental.RELOADED_AT)) for mode, by_changes in (growth or {}).items())
            if x is not None
        ),
    ]
    return Grid("Budgets", ("work", "budget", "measured"), rows)


def _first_load_budgets(measured: FirstLoads) -> list[tuple[str, str, str]]:
    ratios, of = first_load_ratios(measured), f"first load of {measured.rows:,} rows against"
    stated = (
        ("the psql pipe with the same end", "at most 1.3 times", "first_load_ratio_to_psql_pipe"),
        ("the psql pipe into a table without indexes", "", "first_load_ratio_to_psql_pipe_without_indexes"),
        ("dlt at its fastest", "8 times faster", "first_load_speedup_vs_dlt"),
        ("pandas `to_sql` at its fastest", "15 times faster", "first_load_speedup_vs_pandas"),
    )
    return [(f"{of} {what}", budget, f"{ratios[name]:.2f}") for what, budget, name in stated if ratios[name] is not None]
