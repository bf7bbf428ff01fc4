"""What a piece of work costs: wall time, CPU time of its own processes and of the servers, and their memory.

Belongs here: clocks. Does not belong here: what is measured.
"""

import resource
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType

import psutil

from benchmarks.servers import Server, ServerPair


@dataclass(frozen=True)
class Timing:
    """What one piece of work cost.

    Attributes:
        seconds: Wall time.
        client_cpu_seconds: CPU time of the work itself, in whatever processes.
        server_cpu_seconds: CPU time of the PostgreSQL servers meanwhile.
    """

    seconds: float
    client_cpu_seconds: float
    server_cpu_seconds: float


def measure(servers: ServerPair, work: Callable[[], object]) -> Timing:
    """Do the work once, after the servers have written out what was before."""
    both = (servers.source, servers.warehouse)
    for server in both:
        server.settle()
    servers_before, client_before, started = _servers_cpu(both), _client_cpu(), time.monotonic()
    work()
    seconds = time.monotonic() - started
    for server in both:
        server.wait_until_idle()
    return Timing(seconds, _client_cpu() - client_before, _servers_cpu(both) - servers_before)


def median_timing(timings: Sequence[Timing]) -> Timing:
    """The median of each figure by itself."""
    return Timing(
        median(timing.seconds for timing in timings),
        median(timing.client_cpu_seconds for timing in timings),
        median(timing.server_cpu_seconds for timing in timings),
    )


def _client_cpu() -> float:
    """Seconds of this process and of its children that have ended; no server is a child of ours."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _servers_cpu(servers: tuple[Server, ...]) -> float:
    return sum(_tree_cpu(psutil.Process(server.process_id)) for server in servers)


def _tree_cpu(process: psutil.Process) -> float:
    """Seconds of a process, of its children that run and of those that have ended."""
    own = process.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in process.children():
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            # It ended just now: a few milliseconds that are counted with its parent the next time.
            continue
        total += times.user + times.system
    return total


class PeakMemory:
    """The most memory that this process, and the servers, had of their own while the work was done; shared memory does not count.

    Attributes:
        client_bytes: Of this process.
        server_bytes: Of all processes of both servers together.
    """

    _SECONDS_BETWEEN = 0.05

    def __init__(self, servers: ServerPair) -> None:
        self._servers = servers
        self._has_ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self.client_bytes = 0
        self.server_bytes = 0

    def __enter__(self) -> "PeakMemory":
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._has_ended.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._has_ended.wait(self._SECONDS_BETWEEN):
            self.client_bytes = max(self.client_bytes, _own_bytes("self"))
            processes = [child for server in (self._servers.source, self._servers.warehouse) for child in _children(server.process_id)]
            self.server_bytes = max(self.server_bytes, sum(map(_own_bytes, processes)))


def _children(process_id: int) -> list[str]:
    """As the kernel lists them: looking through all processes, as psutil does, takes time from what is measured."""
    return Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii").split()


def _own_bytes(process_id: str) -> int:
    try:
        _, resident, shared, *_ = Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(resident) - int(shared)) * resource.getpagesize()
