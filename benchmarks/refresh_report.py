"""How the results of the refresh benchmark are shown: tables for the terminal, a page, a plot, and ratios.

Belongs here: figures made of measurements, words and columns. Does not belong here: measuring (`refresh`).
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from benchmarks.contenders import PEER_PYTHON, ROOT
from benchmarks.grid import Grid

FIGURES = "refresh.json"
_SIZE_OF_BUDGET = 10_000_000
_ONE_PERCENT = 0.01

_PAGE = """# What a refresh costs

`make bench-refresh` on a machine with {cores} cores ({processor}), {memory} GB of memory, PostgreSQL {postgresql},
Python {python}, {date}. Load of the machine when it began: {load}.

![Times]({plot})

* *Views* are `mv_experiment_summary` and `mv_model_performance` of the source, brought up to date by `REFRESH MATERIALIZED VIEW
  CONCURRENTLY`; the *summary marts* are `experiment_summary` and `model_performance`, which hold all that the views hold, with
  medians, extremes and durations that the views do not have; *all marts* are everything, with dbt's data tests and the publication.
  The full rebuild is `dbt build --full-refresh`.
* 60% of the changes are inserts, 30% updates, 10% deletes. *Recent*: inserts are new runs, and what is updated and deleted belongs to
  the newest runs before them. *Scattered*: every changed metric lies at a random place, so that a hundredth of the metrics lies in
  nearly all experiments and nearly everything has to be made anew.
* Each step changes the source, refreshes the views there, syncs (not part of these figures, see [ingest.md](ingest.md)), refreshes
  the two summary marts, then all marts. Steps of up to a million recent changes are taken three times, and the medians shown: the
  machine is faster at one time than at another.
* *db s* is the time in which the database was busy with statements, as it says itself (`pg_stat_database.active_time`), commits
  included; dbt's own statements and the publication count. Wall time is that of a dbt that is running already.
* *A day's actual values* come in for all models of an experiment, 5 models with 10 series and 7 days ahead from each cutoff. The forecast
  marts are `forecast_accuracy`, `forecast_interval_accuracy` and `model_leaderboard` with what they are made of; three days, medians.
* *Nothing new*: `runmart refresh` from the shell, in turns with `dbt --help`; median of five.
* *client* is dbt's process at its peak, *servers* what the processes of both servers have of their own; memory that they share does
  not count.

{tables}

## Against the budgets

{budgets}

All figures: [refresh.json](refresh.json).
"""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """What one refresh cost.

    Attributes:
        name: What was refreshed.
        wall_seconds: Wall time.
        db_seconds: Time in which the database was busy with statements, all connections together.
        client_bytes: Memory of dbt's process at its peak.
        server_bytes: Memory that the servers' processes had of their own at their peak.
    """

    name: str
    wall_seconds: float
    db_seconds: float
    client_bytes: int
    server_bytes: int

    def __str__(self) -> str:
        return f"{self.name} {self.db_seconds:.2f} s in the database, {self.wall_seconds:.2f} s in all"


@dataclass(frozen=True)
class FixedCost:
    """Wall time of commands that have nothing to do.

    Attributes:
        refresh_seconds: `runmart refresh` when nothing has changed.
        dbt_seconds: A start of dbt that does nothing (`dbt --help`).
    """

    refresh_seconds: float
    dbt_seconds: float

    def __str__(self) -> str:
        return f"`runmart refresh` with nothing new {self.refresh_seconds:.2f} s, a bare start of dbt {self.dbt_seconds:.2f} s"


@dataclass(frozen=True)
class Refreshes:
    """Everything at one size of history.

    Attributes:
        metrics: Rows of the metrics table at the beginning.
        full: The first build of all marts.
        rebuilt: A full rebuild at the end.
        nothing_new: What a refresh costs that has nothing to do.
        steps: Share of the metrics that changed, where they lay, and what it cost to refresh the views, the two summary marts, all marts.
    """

    metrics: int
    full: Measured
    rebuilt: Measured
    nothing_new: FixedCost
    steps: tuple[tuple[float, str, tuple[Measured, ...]], ...]


@dataclass(frozen=True)
class LateActuals:
    """A day's actual values of all models, at one length of history.

    Attributes:
        cutoffs: Days from which all models have forecast.
        predictions: Rows of the predictions table.
        refreshed: A refresh of the forecast marts after they have come in.
        rebuilt: A rebuild of the same marts.
    """

    cutoffs: int
    predictions: int
    refreshed: Measured
    rebuilt: Measured

    @property
    def share(self) -> float:
        """Of the rebuild, how much of the database's time the refresh takes."""
        return round(self.refreshed.db_seconds / self.rebuilt.db_seconds, 3)


def median_of(measured: Sequence[Measured]) -> Measured:
    """The median of each figure by itself, of the same work done several times."""
    return Measured(
        measured[0].name,
        median(each.wall_seconds for each in measured),
        median(each.db_seconds for each in measured),
        round(median(each.client_bytes for each in measured)),
        round(median(each.server_bytes for each in measured)),
    )


def figures(facts: Mapping[str, str | int], refreshes: Sequence[Refreshes], late: Sequence[LateActuals]) -> Figures:
    """All measured times and the ratios that budgets are stated in."""
    small, large = refreshes
    _, summaries, _ = _step(large, _ONE_PERCENT, "recent")
    speedups = {each.metrics: _speedup(each) for each in refreshes}
    # The same number of changed rows in a history of a tenth.
    _, before, _ = _step(small, _ONE_PERCENT * large.metrics / small.metrics, "recent")
    return {
        "size": large.metrics,
        "machine": facts,
        "speedup_1pct_vs_refresh_concurrently": speedups[large.metrics],
        "speedup_1pct_by_size": speedups,
        "growth_when_history_x10": round(summaries.db_seconds / before.db_seconds, 2),
        "db_seconds": {f"{share:.2%} {spread}": round(marts.db_seconds, 3) for share, spread, (_, marts, _) in large.steps},
        "wall_seconds": {f"{share:.2%} {spread}": round(marts.wall_seconds, 3) for share, spread, (_, marts, _) in large.steps},
        "speedups": {
            f"{share:.2%} {spread}": round(view.db_seconds / mart.db_seconds, 1) for share, spread, (view, mart, _) in large.steps
        },
        "nothing_new_vs_bare_dbt": round(large.nothing_new.refresh_seconds / large.nothing_new.dbt_seconds, 2),
        "late_actuals_vs_rebuild": {each.cutoffs: each.share for each in late},
        "refreshes": [asdict(each) for each in refreshes],
        "late_actuals": [asdict(each) for each in late],
    }


def print_tables(refreshes: Sequence[Refreshes], late: Sequence[LateActuals]) -> None:
    """Tables for the terminal."""
    console = Console(width=130)
    for each in refreshes:
        console.print(_costs(each).for_terminal())
        console.print(str(each.nothing_new))
    console.print(_late_actuals(late).for_terminal())


def write(folder: Path, found: Figures, refreshes: Sequence[Refreshes], late: Sequence[LateActuals]) -> None:
    """`refresh.json`, `refresh.png` and `refresh.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    file, plot = folder / FIGURES, folder / "refresh.png"
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    subprocess.run([PEER_PYTHON, "-m", "benchmarks.peers.plot_refresh", file, plot], cwd=ROOT, check=True)
    page = _PAGE.format(
        **found["machine"],
        plot=plot.name,
        tables="\n\n".join(f"## {grid.title}\n\n{grid.as_markdown()}" for grid in (*map(_costs, refreshes), _late_actuals(late))),
        budgets=_budgets(found).as_markdown(),
    )
    (folder / "refresh.md").write_text(page, encoding="utf-8")


def _costs(each: Refreshes) -> Grid:
    header = (
        "changed",
        "views, db s",
        "summary marts, db s",
        "times cheaper",
        "all marts, db s",
        "wall s",
        "client MB",
        "servers MB",
    )
    rows = [
        (
            f"{share:.2%} {spread}",
            f"{views.db_seconds:.2f}",
            f"{summaries.db_seconds:.2f}",
            f"{views.db_seconds / summaries.db_seconds:.1f}",
            f"{whole.db_seconds:.2f}",
            f"{whole.wall_seconds:.2f}",
            *_memory(whole),
        )
        for share, spread, (views, summaries, whole) in each.steps
    ]
    for name, build in (("first build", each.full), ("full rebuild", each.rebuilt)):
        rows.append((name, "", "", "", f"{build.db_seconds:.2f}", f"{build.wall_seconds:.2f}", *_memory(build)))
    return Grid(f"{each.metrics:,} metrics", header, rows)


def _late_actuals(late: Sequence[LateActuals]) -> Grid:
    header = ("cutoffs", "predictions", "a day's actual values, db s", "rebuild, db s", "share", "wall s", "rebuild, wall s")
    rows = [
        (
            f"{each.cutoffs:,}",
            f"{each.predictions:,}",
            f"{each.refreshed.db_seconds:.2f}",
            f"{each.rebuilt.db_seconds:.2f}",
            f"{each.share:.3f}",
            f"{each.refreshed.wall_seconds:.2f}",
            f"{each.rebuilt.wall_seconds:.2f}",
        )
        for each in late
    ]
    return Grid("A day's actual values of all models", header, rows)


def _memory(measured: Measured) -> tuple[str, str]:
    return f"{measured.client_bytes / 2**20:,.0f}", f"{measured.server_bytes / 2**20:,.0f}"


def _budgets(found: Figures) -> Grid:
    rows = [
        *(
            (
                f"summary marts after 1% of {size:,} metrics changed, against the views, database time",
                "50 times" if size == _SIZE_OF_BUDGET else "none",
                f"{speedup} times",
            )
            for size, speedup in found["speedup_1pct_by_size"].items()
        ),
        *(
            (
                f"a day's actual values in a history of {cutoffs:,} cutoffs, against a rebuild of their marts",
                "0.1 times",
                f"{share} times",
            )
            for cutoffs, share in found["late_actuals_vs_rebuild"].items()
        ),
        ("`runmart refresh` with nothing new, against a bare start of dbt", "2 times", f"{found['nothing_new_vs_bare_dbt']} times"),
        ("the same number of changes in a history ten times larger", "flat", f"{found['growth_when_history_x10']} times"),
    ]
    return Grid("Budgets", ("work", "budget", "measured"), rows)


def _speedup(each: Refreshes) -> float:
    """How many times less the summary marts take of the database than the views, after a hundredth has changed."""
    views, summaries, _ = _step(each, _ONE_PERCENT, "recent")
    return round(views.db_seconds / summaries.db_seconds, 1)


def _step(each: Refreshes, share: float, spread: str) -> tuple[Measured, ...]:
    (found,) = (measured for at, where, measured in each.steps if abs(at - share) < share / 100 and where == spread)
    return found
