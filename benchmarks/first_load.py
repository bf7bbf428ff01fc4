"""The first load of a large table: Runmart, the `psql` pipe and peers, in turns.

Belongs here: who takes part, in which order, and what is scaled. Does not belong here: how each works (`contenders`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import contenders, metrics_table
from benchmarks.contenders import Contender
from benchmarks.servers import ServerPair
from benchmarks.stopwatch import Timing, median_timing

# Above this a round takes minutes: there are fewer, and of each peer only the fastest way takes part.
_LARGE = 5_000_000
_MANY_ROUNDS, _FEW_ROUNDS = 3, 2

# The slowest are measured at this part of the table, and at this part of that, and scaled along the line through both.
_PART = 20
_PART_OF_PART = 4


@dataclass(frozen=True)
class FirstLoad:
    """What one contender's first load cost.

    Attributes:
        name: The contender.
        timing: Median of its rounds.
        rounds: Wall seconds of each round.
        measured_rows: Rows of the largest table that it really loaded; fewer than asked for if it was scaled.
    """

    name: str
    timing: Timing
    rounds: tuple[float, ...]
    measured_rows: int


@dataclass(frozen=True)
class FirstLoads:
    """All contenders on one table of that many rows."""

    rows: int
    loads: tuple[FirstLoad, ...]


def measure_first_loads(servers: ServerPair, rows: int, tell: Callable[[str], None]) -> FirstLoads:
    """Measure the contenders on a table of that many rows; the pipes and Runmart load it more than once, peers once.

    Args:
        servers: Where source and targets are; each load gets a new database.
        rows: Size of the table.
        tell: Called with each result as it comes.
    """
    contract = metrics_table.contract("horizon")
    taking_turns = [contenders.ours(servers, contract), contenders.bare_pipe(servers), contenders.pipe(servers, contract)]
    once = [
        contenders.peer(servers, contenders.DLT_FASTEST, "dlt_load", "pyarrow", "parquet"),
        contenders.peer(servers, "Sling", "sling_load"),
        contenders.peer(servers, "ADBC", "adbc_load"),
    ]
    scaled = [contenders.peer(servers, contenders.PANDAS, "pandas_load")]
    rounds = _FEW_ROUNDS
    if rows <= _LARGE:
        once.append(contenders.peer(servers, contenders.DLT_PYARROW, "dlt_load", "pyarrow", "default"))
        scaled.append(contenders.peer(servers, contenders.DLT_DEFAULT, "dlt_load", "sqlalchemy", "default"))
        scaled.append(contenders.peer(servers, contenders.PANDAS_MULTI, "pandas_load", "multi"))
        rounds = _MANY_ROUNDS
    whole = _measure_whole(servers, taking_turns, once, rows, rounds, tell=tell)
    return FirstLoads(rows, (*whole, *_measure_scaled(servers, scaled, rows, tell)))


def _measure_whole(
    servers: ServerPair,
    taking_turns: Sequence[Contender],
    once: Sequence[Contender],
    rows: int,
    rounds: int,
    *,
    tell: Callable[[str], None],
) -> list[FirstLoad]:
    turns = [contender for number in range(rounds) for contender in (*taking_turns[number % 3 :], *taking_turns[: number % 3])]
    timings: dict[str, list[Timing]] = {contender.name: [] for contender in (*taking_turns, *once)}
    with _source_of(servers, rows) as source_url:
        for contender in (*turns, *once):
            timings[contender.name].append(_load(servers, contender, source_url))
            tell(f"{rows:,} rows, {contender.name}: {timings[contender.name][-1].seconds:.1f} s")
    return [FirstLoad(name, median_timing(each), tuple(timing.seconds for timing in each), rows) for name, each in timings.items()]


def _measure_scaled(servers: ServerPair, slow: Sequence[Contender], rows: int, tell: Callable[[str], None]) -> list[FirstLoad]:
    many = rows // _PART
    few = many // _PART_OF_PART
    timings: dict[str, list[Timing]] = {contender.name: [] for contender in slow}
    for part in (few, many):
        with _source_of(servers, part) as source_url:
            for contender in slow:
                timings[contender.name].append(_load(servers, contender, source_url))
                tell(f"{part:,} rows, {contender.name}: {timings[contender.name][-1].seconds:.1f} s")
    return [FirstLoad(name, _scale(each, (few, many), rows), (each[1].seconds,), many) for name, each in timings.items()]


@contextmanager
def _source_of(servers: ServerPair, rows: int) -> Iterator[str]:
    url = servers.source.new_database(metrics_table.SYSTEM)
    metrics_table.create(url, rows)
    yield url
    servers.source.drop(url)


def _load(servers: ServerPair, contender: Contender, source_url: str) -> Timing:
    target_url = servers.warehouse.new_database(contender.target)
    timing = contender.load(source_url, target_url)
    servers.warehouse.drop(target_url)
    return timing


def _scale(timings: Sequence[Timing], sizes: tuple[int, int], rows: int) -> Timing:
    """Along the line through two sizes, so that what is paid once is not multiplied."""
    (less, more), (few, many) = timings, sizes

    def scaled(at_few: float, at_many: float) -> float:
        return at_many + max(at_many - at_few, 0) / (many - few) * (rows - many)

    return Timing(
        scaled(less.seconds, more.seconds),
        scaled(less.client_cpu_seconds, more.client_cpu_seconds),
        scaled(less.server_cpu_seconds, more.server_cpu_seconds),
    )
