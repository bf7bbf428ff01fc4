"""The ratios of the ingestion benchmark against values worked out by hand, and the keeping of earlier figures."""

import json
from pathlib import Path

import pytest

from benchmarks import contenders, incremental
from benchmarks.first_load import FirstLoad, FirstLoads
from benchmarks.incremental import Incremental, Step
from benchmarks.many_tables import ManyTables, OverConnections
from benchmarks.results import Results, read
from benchmarks.stopwatch import Timing

MACHINE: dict[str, str | int] = {"cores": 2, "processor": "some", "memory": 24, "postgresql": "18.4", "date": "2026-01-01"}


def timing(seconds: float) -> Timing:
    return Timing(seconds, 0.5, 1.5)


def loads(rows: int) -> FirstLoads:
    return FirstLoads(
        rows,
        (
            FirstLoad(contenders.OURS, timing(10.0), (8.0, 10.0, 30.0), rows),
            FirstLoad(contenders.PIPE, timing(9.0), (10.0, 8.0, 20.0), rows),
            FirstLoad(contenders.DLT_FASTEST, timing(85.0), (85.0,), rows),
            FirstLoad(contenders.DLT_DEFAULT, timing(400.0), (20.0,), rows // 20),
        ),
    )


def table(rows: int, seconds: float) -> Incremental:
    ways = {"horizon": seconds, "cdc": seconds / 4, incremental.RELOAD: seconds * 5}
    return Incremental(rows, tuple(Step(way, 100_000, timing(each), 0) for way, each in ways.items()))


MANY = ManyTables(30, 1_000, (OverConnections(1, timing(9.0), (10.0, 8.0, 9.0)), OverConnections(4, timing(6.0), (5.0, 6.0, 6.0))))


def test_ratios_are_those_of_the_budgets() -> None:
    figures = Results(MACHINE, (loads(5_000_000),), MANY, (table(1_000_000, 4.0), table(10_000_000, 6.0))).figures(5_000_000)
    assert figures["first_load_ratio_to_psql_pipe"] == 1.25  # the median of 0.8, 1.25 and 1.5
    assert figures["first_load_speedup_vs_dlt"] == 8.5
    assert figures["first_load_speedup_over_connections"] == {1: 1.0, 4: 1.5}  # the median of 2, 1.33 and 1.5
    assert figures["first_load_speedup_vs_pandas"] is None
    assert figures["sync_seconds"] == {"horizon": {100_000: 6.0}, "cdc": {100_000: 1.5}}
    assert figures["full_reload_speedup_at_1pct_of_10m"] == {"horizon": 5.0, "cdc": 20.0}
    assert figures["growth_when_table_x10"] == {"horizon": {100_000: 1.5}, "cdc": {100_000: 1.5}}


def test_sizes_that_were_not_measured_again_are_kept(tmp_path: Path) -> None:
    earlier = Results(MACHINE, (loads(5_000_000),), MANY, (table(1_000_000, 4.0), table(50_000_000, 9.0)))
    file = tmp_path / "figures.json"
    file.write_text(json.dumps(earlier.figures(5_000_000)), encoding="utf-8")
    assert read(file) == earlier
    later = Results({**MACHINE, "date": "2026-02-02"}, (), None, (table(10_000_000, 6.0), table(50_000_000, 8.0)))
    both = later.with_others_of(read(file))
    assert both.first_loads == earlier.first_loads
    assert both.many_tables == MANY
    assert both.incremental == (table(1_000_000, 4.0), table(10_000_000, 6.0), table(50_000_000, 8.0))


def test_figures_of_another_machine_are_not_mixed_in() -> None:
    with pytest.raises(ValueError, match="measured with cores 2, here it is 8"):
        Results({**MACHINE, "cores": 8}, (), None, ()).with_others_of(Results(MACHINE, (), None, ()))
