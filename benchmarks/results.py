"""What the benchmark of ingestion found, as one JSON object.

Belongs here: the figures and the ratios made of them. Does not belong here: how they are measured and how they are shown (`report`).
"""

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from benchmarks import contenders, incremental
from benchmarks.first_load import FirstLoad
from benchmarks.incremental import Incremental

Figures = dict[str, Any]

# One percent of ten million rows: what the budget of a sync is stated for.
_BUDGET_ROWS, _BUDGET_CHANGES = 10_000_000, 100_000
_GROWTH = 10


def figures(size: int, loads: Sequence[FirstLoad], syncs: Sequence[Incremental], machine: Figures) -> Figures:
    """All measured times, and the ratios that budgets are stated in (None: what it needs was not measured)."""
    return {
        "size": size,
        "machine": machine,
        **_first_load_ratios({load.name: load for load in loads}),
        "sync_seconds": {mode: _seconds(syncs[-1], mode) for mode in _modes(syncs[-1])},
        "sync_table_rows": syncs[-1].rows,
        "full_reload_speedup_at_1pct_of_10m": _speedup_over_reload(syncs),
        "growth_when_table_x10": _growth(syncs),
        "first_load": [asdict(load) for load in loads],
        "incremental": [asdict(table) for table in syncs],
    }


def _first_load_ratios(loads: dict[str, FirstLoad]) -> Figures:
    ours = loads[contenders.OURS]

    def speedup(*names: str) -> float:
        return round(min(loads[name].timing.seconds for name in names if name in loads) / ours.timing.seconds, 2)

    return {
        "first_load_ratio_to_psql_pipe": _ratio(ours, loads[contenders.PIPE]),
        "first_load_ratio_to_psql_pipe_without_indexes": _ratio(ours, loads[contenders.BARE_PIPE]),
        "first_load_speedup_vs_dlt": speedup(contenders.DLT_FASTEST, contenders.DLT_PYARROW, contenders.DLT_DEFAULT),
        "first_load_speedup_vs_pandas": speedup(contenders.PANDAS, contenders.PANDAS_MULTI),
        "first_load_speedups": {name: speedup(name) for name in loads if name != contenders.OURS},
    }


def _ratio(ours: FirstLoad, other: FirstLoad) -> float:
    """Median of the ratios of each round: what else the machine did at the time is in both."""
    return round(median(mine / theirs for mine, theirs in zip(ours.rounds, other.rounds, strict=True)), 3)


def _seconds(table: Incremental, way: str) -> dict[int, float]:
    return {step.changes: round(step.timing.seconds, 3) for step in table.steps if step.way == way}


def _speedup_over_reload(tables: Sequence[Incremental]) -> dict[str, float] | None:
    """By capture mode; None unless a table of the size that the budget is stated for was measured."""
    table = next((table for table in tables if table.rows == _BUDGET_ROWS), None)
    if table is None:
        return None
    reload = _seconds(table, incremental.RELOAD)[incremental.RELOADED_AT]
    return {mode: round(reload / _seconds(table, mode)[_BUDGET_CHANGES], 1) for mode in _modes(table)}


def _growth(tables: Sequence[Incremental]) -> dict[str, dict[int, float]] | None:
    """By capture mode and number of changes, how much longer a sync takes on a table ten times larger; None without such a pair."""
    pair = next(((small, large) for small in tables for large in tables if large.rows == _GROWTH * small.rows), None)
    if pair is None:
        return None
    small, large = pair
    return {
        mode: {changes: round(_seconds(large, mode)[changes] / seconds, 2) for changes, seconds in _seconds(small, mode).items()}
        for mode in _modes(large)
    }


def _modes(table: Incremental) -> list[str]:
    return [mode for mode in incremental.MODES if _seconds(table, mode)]
