"""How long it takes from the commit of one changed metric at the source until analysts see it in a published mart.

Belongs here: a home of its own, the commands as a user types them, and one clock from the commit to the row. Does not belong here: the rows
(`tracking_history`) and the page (`checks`). All checks run, as they always do.
"""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import tracking_history
from benchmarks.servers import ServerPair, execute
from benchmarks.tracking_history import SYSTEM
from dagster_project.commands.processes import free_port
from dagster_project.settings import PROJECT_ROOT
from dagster_project.warm.messages import SOCKET

_ROUNDS = 3
_POLL_SECONDS = 0.02
_DEADLINE_SECONDS = 600.0
_RUNMART = str(Path(sys.executable).parent / "runmart")

# Larger than all values of the history, and with every change larger than before: it is the largest of its metric.
_FIRST_VALUE = 1_000_000


@dataclass(frozen=True)
class Seconds:
    """Seconds from the commit to the published row, the median of three.

    Attributes:
        metrics: How many metrics there are.
        cold_commands: `runmart sync`, then `runmart refresh`.
        cold: `runmart sync --refresh`.
        warm: The same beside `runmart up`.
        watched: `runmart up --watch`, nothing typed.
    """

    metrics: int
    cold_commands: float
    cold: float
    warm: float
    watched: float


@dataclass
class _Home:
    """A home on databases of its own."""

    folder: Path
    source_url: str
    warehouse_url: str
    environment: Mapping[str, str]
    values: Iterator[int] = field(default_factory=lambda: itertools.count(_FIRST_VALUE))

    def runs(self, *words: str) -> None:
        """Run a command to its end.

        Raises:
            RuntimeError: It failed; the message is what it said.
        """
        done = subprocess.run([_RUNMART, *words], cwd=PROJECT_ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"runmart {' '.join(words)} failed: {done.stderr}")

    @contextmanager
    def up(self, *words: str) -> Iterator[None]:
        """A running `runmart up` that is warm; it has ended afterwards."""
        command = [_RUNMART, "up", *words, "--port", str(free_port())]
        with subprocess.Popen(command, cwd=PROJECT_ROOT, env=self.environment, stderr=subprocess.DEVNULL) as process:
            _wait_until((self.folder / SOCKET).exists)
            yield
            process.send_signal(signal.SIGTERM)

    def seconds_until_published(self, do: Callable[[], None]) -> float:
        """Change one metric, do something, and wait until a mart shows the change."""
        value = next(self.values)
        changed = "(select metric_id from metrics order by metric_id desc limit 1)"
        ((run_id,),) = execute(self.source_url, f"update metrics set metric_value = {value} where metric_id = {changed} returning run_id")
        started = time.monotonic()
        do()
        _wait_until(lambda: execute(self.warehouse_url, _is_shown(run_id, value)) == [(True,)])
        return time.monotonic() - started


def measure(servers: ServerPair, metrics: int, tell: Callable[[str], None]) -> Seconds:
    """Measure all four ways in a history of so many metrics.

    Args:
        servers: Where the databases are made, and dropped at the end.
        metrics: How many metrics the source has.
        tell: Called with a line for each way.
    """
    urls = {name: servers.source.new_database(SYSTEM) if name == "source" else servers.warehouse.new_database(kind)
            for name, kind in (("source", SYSTEM), ("warehouse", "warehouse"), ("dagster", "empty"))}  # fmt: skip
    tracking_history.create(urls["source"], metrics)
    with tempfile.TemporaryDirectory(prefix="runmart_bench_home_") as folder:
        found = _in_home(_Home(Path(folder), urls["source"], urls["warehouse"], _environment(Path(folder), urls)), metrics, tell)
    servers.source.drop(urls["source"])
    for name in ("warehouse", "dagster"):
        servers.warehouse.drop(urls[name])
    return found


def _in_home(home: _Home, metrics: int, tell: Callable[[str], None]) -> Seconds:
    def commands() -> None:
        home.runs("sync")
        home.runs("refresh")

    def command() -> None:
        home.runs("sync", "--refresh")

    def nothing() -> None:
        """The watch does it."""

    def timed(way: str, do: Callable[[], None]) -> float:
        # The first time, dbt parses, and memory has to be filled.
        home.seconds_until_published(do)
        seconds = median(home.seconds_until_published(do) for _ in range(_ROUNDS))
        tell(f"{metrics:,} metrics: from commit to mart, {way}, {seconds:.2f} s")
        return seconds

    home.runs("migrate")
    command()
    cold_commands, cold = timed("sync, then refresh", commands), timed("sync --refresh", command)
    with home.up():
        warm = timed("sync --refresh beside up", command)
    with home.up("--watch"):
        watched = timed("up --watch", nothing)
    return Seconds(metrics, cold_commands, cold, warm, watched)


def _is_shown(run_id: int, value: int) -> str:
    """Looked for by an index: asking all the time must not take the processors from what is asked about."""
    return f"select exists (select from analytics.metric_summary where run_id = {run_id} and max_value = {value})"


def _environment(folder: Path, urls: Mapping[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RUNMART_", "DAGSTER_", "DBT_"))}
    return {
        **clean,
        "RUNMART_HOME": str(folder),
        "RUNMART_WAREHOUSE_URL": urls["warehouse"],
        "RUNMART_DAGSTER_URL": urls["dagster"],
        f"RUNMART_SOURCE_{SYSTEM.upper()}_URL": urls["source"],
    }


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing came of it within {_DEADLINE_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)
