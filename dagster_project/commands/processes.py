"""The long-running processes of `runmart up`: code server, daemon, UI, warm process and watch.

Belongs here: starting them, waiting, and ending all of them whatever happens. Does not belong here: the embedded PostgreSQL
(`resources.embedded`), which `up` stops last.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import fasteners
import psutil

from dagster_project.commands.runs import CODE_LOCATION
from dagster_project.errors import RunmartError
from dagster_project.settings import PROJECT_ROOT, ConfigurationError

_BIN = Path(sys.executable).parent
_READY_SECONDS = 120
_STOP_SECONDS = 15
_POLL_SECONDS = 0.2
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessEndedError(RunmartError):
    """One of the processes ended by itself; the message names it and its log."""


@dataclass
class Processes:
    """Child processes that live and end together.

    Attributes:
        environment: What they run under.
        logs: Folder of their log files.
    """

    environment: Mapping[str, str]
    logs: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str, tells: bool = False) -> None:
        """Start one process in a session of its own, so that Ctrl-C reaches only us and we end them in order.

        Args:
            name: What it and its log are called.
            command: A program of this environment, and its arguments.
            tells: Whether its stderr is for whoever reads ours, instead of the log.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                [str(_BIN / command[0]), *command[1:]],
                cwd=PROJECT_ROOT,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=None if tells else subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until(self, is_ready: Callable[[], bool], name: str) -> None:
        """Wait until a process answers.

        Raises:
            ProcessEndedError: A process ended, or this one did not answer in time.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessEndedError(f"the {name} did not answer within {_READY_SECONDS} s; its log is {self.logs / name}.log")
            time.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Raise if a process has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = self.logs / f"{name}.log"
                raise ProcessEndedError(f"the {name} ended with code {process.returncode}; its log is {log}")

    def stop(self) -> None:
        """End every process with all its children, politely first."""
        family: list[psutil.Process] = []
        for process in self._running.values():
            if psutil.pid_exists(process.pid):
                parent = psutil.Process(process.pid)
                family += [*parent.children(recursive=True), parent]
        for member in family:
            _signal(member, signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=_STOP_SECONDS)
        for member in alive:
            _signal(member, signal.SIGKILL)
        psutil.wait_procs(alive, timeout=_STOP_SECONDS)


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


@contextmanager
def claimed(home: Path, port: int) -> Iterator[None]:
    """Hold a home for one `runmart up`; to be entered before anything is started, since what ends it also stops the home's server.

    Raises:
        ConfigurationError: The port is taken, or another `runmart up` runs on this home.
    """
    home.mkdir(parents=True, exist_ok=True)
    lock = fasteners.InterProcessLock(home / "up.lock")
    if not lock.acquire(blocking=False):
        raise ConfigurationError(f"`runmart up` runs already on {home}; stop that one first, or set RUNMART_HOME to another folder")
    try:
        if not _is_free(port):
            raise ConfigurationError(f"port {port} is in use; stop what listens there or choose another one: runmart up --port {port + 1}")
        yield
    finally:
        lock.release()


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP end what is within at any moment, and leave without an error once all of it has been cleaned up."""
    previous = {number: signal.signal(number, _interrupt) for number in _ENDING}
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def serve(
    environment: Mapping[str, str], home: Path, port: int, on_ready: Callable[[str], None], watch_seconds: float | None = None
) -> None:
    """Run code server, UI, daemon and warm process until one of them ends or an interrupt, after which all of them have ended.

    Args:
        environment: See `resources.instance.environment`.
        home: Where the logs and the workspace file go.
        port: Port of the UI on the loopback address.
        on_ready: Called with the address of the UI once it answers.
        watch_seconds: Time between two looks at the sources; None for no looks.

    Raises:
        ProcessEndedError: A process ended by itself.
    """
    code_port = free_port()
    workspace = home / "workspace.yaml"
    workspace.write_text(
        f"load_from:\n  - grpc_server: {{host: 127.0.0.1, port: {code_port}, location_name: {CODE_LOCATION}}}\n", encoding="utf-8"
    )
    processes = Processes(environment, home / "logs")
    try:
        module = ("-m", "dagster_project.definitions", "-d", str(PROJECT_ROOT), "--location-name", CODE_LOCATION)
        processes.start("code-server", "dagster", "code-server", "start", "-h", "127.0.0.1", "-p", str(code_port), *module)
        processes.wait_until(lambda: not _is_free(code_port), "code-server")
        processes.start("webserver", "dagster-webserver", "-h", "127.0.0.1", "-p", str(port), "-w", str(workspace))
        processes.start("daemon", "dagster-daemon", "run", "-w", str(workspace))
        processes.start("warm-process", "python", "-m", "dagster_project.warm_process")
        processes.wait_until(lambda: not _is_free(port), "webserver")
        if watch_seconds is not None:
            processes.start("watch", "python", "-m", "dagster_project.commands.watching", str(watch_seconds), tells=True)
        on_ready(f"http://127.0.0.1:{port}")
        while True:
            processes.check()
            time.sleep(_POLL_SECONDS)
    finally:
        # A second Ctrl-C must not leave half of them behind.
        _ignore_signals()
        processes.stop()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of the loopback address on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
