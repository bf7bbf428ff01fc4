"""What the benchmark of ingestion found.

Belongs here: all measurements of a machine, kept as one JSON object, and the ratios made of them. Does not belong here: how they are
measured and how they are shown (`report`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from benchmarks import contenders, incremental
from benchmarks.first_load import FirstLoad, FirstLoads
from benchmarks.incremental import Incremental, Step
from benchmarks.many_tables import ManyTables, OverConnections
from benchmarks.stopwatch import Timing

Figures = dict[str, Any]

# One percent of ten million rows: what the budget of a sync is stated for.
_BUDGET_ROWS, _BUDGET_CHANGES = 10_000_000, 100_000
_GROWTH = 10

_OfSize = TypeVar("_OfSize", bound=FirstLoads | Incremental)


@dataclass(frozen=True)
class Results:
    """All measurements of one machine.

    Attributes:
        machine: What was measured on.
        first_loads: First loads, one entry per size, smallest first.
        many_tables: First loads of many tables; None if they were not measured.
        incremental: Syncs, one entry per size of the table, smallest first.
    """

    machine: Mapping[str, str | int]
    first_loads: tuple[FirstLoads, ...]
    many_tables: ManyTables | None
    incremental: tuple[Incremental, ...]

    def with_others_of(self, earlier: "Results") -> "Results":
        """These, and of earlier ones the sizes that were not measured again.

        Raises:
            ValueError: The earlier ones are of another machine.
        """
        for fact in ("cores", "processor", "memory", "postgresql"):
            if earlier.machine[fact] != self.machine[fact]:
                raise ValueError(f"the earlier figures were measured with {fact} {earlier.machine[fact]}, here it is {self.machine[fact]}")
        return Results(
            self.machine,
            _merged(self.first_loads, earlier.first_loads),
            self.many_tables or earlier.many_tables,
            _merged(self.incremental, earlier.incremental),
        )

    def figures(self, size: int) -> Figures:
        """All measured times, and the ratios that budgets are stated in, those of the first load at one size.

        What was not measured, or lacks what it is held against, is None.
        """
        loads = next((each for each in self.first_loads if each.rows == size), None)
        largest = self.incremental[-1] if self.incremental else None
        return {
            "size": size,
            "machine": self.machine,
            **first_load_ratios(loads),
            "first_load_speedup_over_connections": self.many_tables and self.many_tables.speedups(),
            "sync_seconds": {mode: _seconds(largest, mode) for mode in _modes(largest)} if largest else None,
            "sync_table_rows": largest.rows if largest else None,
            "full_reload_speedup_at_1pct_of_10m": self._speedup_over_reload(),
            "growth_when_table_x10": self._growth(),
            "first_loads": [asdict(each) for each in self.first_loads],
            "many_tables": self.many_tables and asdict(self.many_tables),
            "incremental": [asdict(each) for each in self.incremental],
        }

    def _speedup_over_reload(self) -> dict[str, float] | None:
        """By capture mode."""
        table = next((table for table in self.incremental if table.rows == _BUDGET_ROWS), None)
        if table is None:
            return None
        reload = _seconds(table, incremental.RELOAD)[incremental.RELOADED_AT]
        return {mode: round(reload / _seconds(table, mode)[_BUDGET_CHANGES], 1) for mode in _modes(table)}

    def _growth(self) -> dict[str, dict[int, float]] | None:
        """By capture mode and number of changes, how much longer a sync takes on a table ten times larger."""
        tables = self.incremental
        pair = next(((small, large) for small in tables for large in tables if large.rows == _GROWTH * small.rows), None)
        if pair is None:
            return None
        small, large = pair
        return {
            mode: {changes: round(_seconds(large, mode)[changes] / seconds, 2) for changes, seconds in _seconds(small, mode).items()}
            for mode in _modes(large)
        }


def read(file: Path) -> Results:
    """The results in a file of figures."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    return Results(
        kept["machine"],
        tuple(FirstLoads(each["rows"], tuple(_first_load(load) for load in each["loads"])) for each in kept["first_loads"]),
        kept["many_tables"] and _many_tables(kept["many_tables"]),
        tuple(Incremental(each["rows"], tuple(_step(step) for step in each["steps"])) for each in kept["incremental"]),
    )


def first_load_ratios(measured: FirstLoads | None) -> Figures:
    """What budgets of the first load are stated in."""
    loads = {load.name: load for load in measured.loads} if measured else {}

    def ratio(name: str) -> float | None:
        """Median of the ratios of each round: what else the machine did at the time is in both."""
        if name not in loads:
            return None
        pairs = zip(loads[contenders.OURS].rounds, loads[name].rounds, strict=True)
        return round(median(mine / theirs for mine, theirs in pairs), 3)

    def speedup(names: Iterable[str]) -> float | None:
        seconds = [loads[name].timing.seconds for name in names if name in loads]
        return round(min(seconds) / loads[contenders.OURS].timing.seconds, 2) if seconds else None

    return {
        "first_load_ratio_to_psql_pipe": ratio(contenders.PIPE),
        "first_load_ratio_to_psql_pipe_without_indexes": ratio(contenders.BARE_PIPE),
        "first_load_speedup_vs_dlt": speedup((contenders.DLT_FASTEST, contenders.DLT_PYARROW, contenders.DLT_DEFAULT)),
        "first_load_speedup_vs_pandas": speedup((contenders.PANDAS, contenders.PANDAS_MULTI)),
        "first_load_speedups": {name: speedup([name]) for name in loads if name != contenders.OURS},
    }


def _merged(these: Sequence[_OfSize], earlier: Sequence[_OfSize]) -> tuple[_OfSize, ...]:
    by_rows = {each.rows: each for each in (*earlier, *these)}
    return tuple(by_rows[rows] for rows in sorted(by_rows))


def _first_load(kept: Figures) -> FirstLoad:
    return FirstLoad(kept["name"], Timing(**kept["timing"]), tuple(kept["rounds"]), kept["measured_rows"])


def _many_tables(kept: Figures) -> ManyTables:
    loads = (OverConnections(load["connections"], Timing(**load["timing"]), tuple(load["rounds"])) for load in kept["loads"])
    return ManyTables(kept["tables"], kept["rows"], tuple(loads))


def _step(kept: Figures) -> Step:
    return Step(kept["way"], kept["changes"], Timing(**kept["timing"]), kept["wrong_rows"])


def _seconds(table: Incremental, way: str) -> dict[int, float]:
    return {step.changes: round(step.timing.seconds, 3) for step in table.steps if step.way == way}


def _modes(table: Incremental) -> list[str]:
    return [mode for mode in incremental.MODES if _seconds(table, mode)]
