"""How the results of the ingestion benchmark are shown: a table for the terminal, a page, a plot.

Belongs here: words and columns. Does not belong here: figures (`results`).
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import contenders, incremental
from benchmarks.first_load import FirstLoad
from benchmarks.incremental import Incremental
from benchmarks.results import Figures

_PAGE = """# What ingestion costs

`make bench-ingest SIZE={size}` on a machine with {cores} cores ({processor}), {memory} GB of memory, PostgreSQL {postgresql},
Python {python}, {date}. Load of the machine when it began: {load}.

![Times]({plot})

## First load of {rows} rows

{first_load}

* Source and target are two servers on this machine with durable settings (`fsync` and `synchronous_commit` on). Each load goes into
  a new database, and both servers write out their memory before each. Runmart and the two pipes take turns for {rounds} rounds, the
  order rotating; the figure is the median. Peers load once.
* Runmart's time is a whole sync: snapshot, schema, copy, indexes, statistics, state, commit. The pipe is
  `psql COPY TO STDOUT | psql COPY FROM STDIN` in text; once into a table without any index, once into the columns of a raw table
  followed by the indexes and statistics that a raw table has, which is where Runmart ends too. Peers make no index.
* A peer's time does not include the start of its interpreter and its imports; everything that it sets up afterwards is in it.
* CPU seconds are those of the copying processes and, apart, of both PostgreSQL servers.
* Scaled: measured at {few} and {many} rows and drawn on along the line through both.
* ingestr and newer versions of Sling are not among the peers: their packages download a program from elsewhere when they first run.

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


@dataclass(frozen=True)
class _Grid:
    """A table of words."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def for_terminal(self) -> Table:
        table = Table(*self.header, title=self.title)
        for row in self.rows:
            table.add_row(*row)
        return table

    def as_markdown(self) -> str:
        lines = [self.header, tuple("---" for _ in self.header), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def print_tables(loads: list[FirstLoad], syncs: list[Incremental]) -> None:
    """Both tables, to the terminal."""
    Console(width=130).print(_first_loads(loads).for_terminal(), _syncs(syncs).for_terminal())


def write(folder: Path, figures: Figures, loads: list[FirstLoad], syncs: list[Incremental]) -> None:
    """`ingest.json`, `ingest.png` and `ingest.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "ingest.json"
    results.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    plot = folder / "ingest.png"
    subprocess.run([contenders.PEER_PYTHON, "-m", "benchmarks.peers.plot_ingest", results, plot], cwd=contenders.ROOT, check=True)
    size, scaled = figures["size"], min(load.measured_rows for load in loads)
    page = _PAGE.format(
        **figures["machine"],
        size=size,
        rows=f"{size:,}",
        plot=plot.name,
        rounds=len(loads[0].rounds),
        few=f"{scaled // 4:,}",
        many=f"{scaled:,}",
        first_load=_first_loads(loads).as_markdown(),
        incremental=_syncs(syncs).as_markdown(),
        budgets=_budgets(figures).as_markdown(),
    )
    (folder / "ingest.md").write_text(page, encoding="utf-8")


def _first_loads(loads: list[FirstLoad]) -> _Grid:
    ours = next(load for load in loads if load.name == contenders.OURS)
    size = max(load.measured_rows for load in loads)
    rows = [
        (
            load.name,
            f"{load.timing.seconds:,.1f}" + (" (scaled)" if load.measured_rows < size else ""),
            f"{load.timing.seconds / ours.timing.seconds:,.2f}",
            f"{load.timing.client_cpu_seconds:,.1f}",
            f"{load.timing.server_cpu_seconds:,.1f}",
        )
        for load in sorted(loads, key=lambda load: load.timing.seconds)
    ]
    return _Grid("First load", ("way", "seconds", "times Runmart's", "CPU seconds", "CPU seconds of the servers"), rows)


def _syncs(syncs: list[Incremental]) -> _Grid:
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
    return _Grid("Syncs after changes", header, rows)


def _budgets(figures: Figures) -> _Grid:
    speedups, growth = figures["full_reload_speedup_at_1pct_of_10m"], figures["growth_when_table_x10"]
    rows = [
        ("first load against the psql pipe with the same end", "at most 1.3 times", f"{figures['first_load_ratio_to_psql_pipe']:.2f}"),
        (
            "first load against the psql pipe into a table without indexes",
            "",
            f"{figures['first_load_ratio_to_psql_pipe_without_indexes']:.2f}",
        ),
        ("first load against dlt at its fastest", "8 times faster", f"{figures['first_load_speedup_vs_dlt']:.1f}"),
        ("first load against pandas `to_sql` at its fastest", "15 times faster", f"{figures['first_load_speedup_vs_pandas']:.1f}"),
        *(
            (f"1% of 10 million rows changed, {mode}, against a reload", "20 times faster", f"{x:.1f}")
            for mode, x in (speedups or {}).items()
        ),
        *(
            (f"the same with a table ten times larger, {mode}", "at most 1.5 times", f"{x[incremental.RELOADED_AT]:.2f}")
            for mode, x in (growth or {}).items()
            if incremental.RELOADED_AT in x
        ),
    ]
    return _Grid("Budgets", ("work", "budget", "measured"), rows)
