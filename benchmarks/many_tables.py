"""The first load of many tables, over one connection to the source and over several, in turns.

Belongs here: the tables and the turns. Does not belong here: how a load is timed (`contenders`, `stopwatch`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from benchmarks import contenders
from benchmarks.servers import ServerPair, execute
from benchmarks.stopwatch import Timing, median_timing
from dagster_project.contracts.contract import SystemContract

CONNECTIONS = (1, 2, 4)

_TABLES = 30
_ROUNDS = 5

# A few are large: the n-th has an n-th of the rows of the first.
_SHARES = [1 / number for number in range(1, _TABLES + 1)]

_COLUMNS = "id bigint primary key, name varchar(40), value double precision, at timestamp, note text"
_ROWS = """
select n, 'name ' || n % 1000, 10 * abs(sin(n)), timestamp '2025-01-01' + n * interval '1.7 seconds', repeat('note ', (n % 20)::integer)
from generate_series(1, {rows}::bigint) as n
"""


@dataclass(frozen=True)
class OverConnections:
    """What the first load of all tables cost over some connections.

    Attributes:
        connections: To the source at once.
        timing: Median of its rounds.
        rounds: Wall seconds of each round.
    """

    connections: int
    timing: Timing
    rounds: tuple[float, ...]


@dataclass(frozen=True)
class ManyTables:
    """The first load of many tables with that many rows in all."""

    tables: int
    rows: int
    loads: tuple[OverConnections, ...]

    def speedups(self) -> dict[int, float]:
        """By number of connections, how many times as fast as over one: median of the ratios of each round."""
        (one,) = (load for load in self.loads if load.connections == 1)
        return {
            load.connections: round(median(alone / shared for alone, shared in zip(one.rounds, load.rounds, strict=True)), 2)
            for load in self.loads
        }


def measure_many_tables(servers: ServerPair, rows: int, tell: Callable[[str], None]) -> ManyTables:
    """Measure first loads of tables with that many rows in all.

    Args:
        servers: Where source and targets are; each load gets a new database.
        rows: Rows of all tables.
        tell: Called with each result as it comes.
    """
    source_url = servers.source.new_database("empty")
    for name, share in zip(_names(), _SHARES, strict=True):
        execute(source_url, f"create table {name} ({_COLUMNS})")
        execute(source_url, f"insert into {name} {_ROWS.format(rows=int(rows * share / sum(_SHARES)))}")
    execute(source_url, "vacuum (analyze)")
    timings: dict[int, list[Timing]] = {connections: [] for connections in CONNECTIONS}
    for number in range(_ROUNDS):
        first = number % len(CONNECTIONS)
        for connections in (*CONNECTIONS[first:], *CONNECTIONS[:first]):
            target_url = servers.warehouse.new_database("warehouse")
            timings[connections].append(contenders.ours(servers, _contract(connections)).load(source_url, target_url))
            servers.warehouse.drop(target_url)
            tell(f"{_TABLES} tables over {connections} connections: {timings[connections][-1].seconds:.1f} s")
    servers.source.drop(source_url)
    loads = (OverConnections(n, median_timing(each), tuple(timing.seconds for timing in each)) for n, each in timings.items())
    return ManyTables(_TABLES, rows, tuple(loads))


def _names() -> list[str]:
    return [f"table_{number}" for number in range(1, _TABLES + 1)]


def _contract(connections: int) -> SystemContract:
    columns = ["id", "name", "value", "at", "note"]
    return SystemContract.model_validate(
        {
            "system": "many",
            "description": "Many tables.",
            "limits": {"connections": connections},
            "freshness": {"warn_after_hours": 1, "error_after_hours": 2},
            "tables": {name: {"description": "A table.", "key": ["id"], "columns": columns} for name in _names()},
        }
    )
