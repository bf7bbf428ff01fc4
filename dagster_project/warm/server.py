"""The warm process: waits for commands and forks itself for each.

Belongs here: what it hears and says, and whom it watches. Does not belong here: what is imported before, and what a command does
(`warm_process`); how a fork becomes the command (`forked`). It must have one thread and no connection to a database: forks would share
them.
"""

import os
import selectors
import signal
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from types import FrameType

from dagster_project.warm.forked import SIGNALS, Forked, become_leader, handle_as_usual
from dagster_project.warm.messages import SOCKET, Kind, Request, close, hear, interpreter, receive_request, say

_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

# Who has connected and says nothing holds up all others.
_CLIENT_SECONDS = 1.0
_WAITING_CLIENTS = 16


class Outcome(Enum):
    """Why the warm process takes no more commands."""

    TOLD_TO_END = auto()
    OUTDATED = auto()


def serve(
    home: Path,
    programs: Collection[str],
    is_current: Callable[[], bool] = lambda: True,
    *,
    prepare: Callable[[], None] = lambda: None,
    lifeline: int | None = None,
) -> Outcome | Forked:
    """Take commands until told to end by a signal, or until what this process has imported is outdated; wait for those that still run.

    Args:
        home: Folder of the socket.
        programs: The programs that there are.
        is_current: Whether this process may still answer; asked at each command.
        prepare: Done before the first answer; who connects meanwhile waits for it.
        lifeline: An open file at whose end this process has to end: the other end of the pipe belongs to whoever it is for.

    Returns:
        Why it has ended; in a process that was forked for a command, that command.
    """
    with _woken_by_signals() as wakeup, _listening(home) as listener:
        prepare()
        return _Server(home, listener, wakeup, programs=programs, is_current=is_current, lifeline=lifeline).run()


@contextmanager
def _listening(home: Path) -> Iterator[socket.socket]:
    """A socket in a home, for its owner."""
    before = os.open(".", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        umask = os.umask(0o177)
        # From within the home: its path may be too long for a socket.
        os.chdir(home)
        try:
            Path(SOCKET).unlink(missing_ok=True)
            listener.bind(SOCKET)
        finally:
            os.fchdir(before)
            os.close(before)
            os.umask(umask)
        listener.listen(_WAITING_CLIENTS)
        yield listener


@contextmanager
def _woken_by_signals() -> Iterator[socket.socket]:
    """What can be read from as soon as a signal has come: its number."""
    told, telling = socket.socketpair()
    with told, telling:
        told.setblocking(False)
        telling.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, _be_woken)
        before = signal.set_wakeup_fd(telling.fileno())
        try:
            yield told
        finally:
            signal.set_wakeup_fd(before)
            handle_as_usual()


def _be_woken(_number: int, _frame: FrameType | None) -> None:
    """Nothing more: the signal can be read."""


class _Server:
    def __init__(
        self,
        home: Path,
        listener: socket.socket,
        wakeup: socket.socket,
        *,
        programs: Collection[str],
        is_current: Callable[[], bool],
        lifeline: int | None,
    ) -> None:
        self._home = home
        self._listener = listener
        self._wakeup = wakeup
        self._programs = programs
        self._is_current = is_current
        self._interpreter = interpreter()
        self._clients: dict[int, socket.socket] = {}
        self._outcome: Outcome | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(wakeup, selectors.EVENT_READ)
        if lifeline is not None:
            self._selector.register(lifeline, selectors.EVENT_READ)
        self._lifeline = lifeline

    def run(self) -> Outcome | Forked:
        """See `serve`."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wakeup:
                    self._note_signals()
                elif key.fileobj is self._listener:
                    if self._outcome is None and (forked := self._answer()):
                        return forked
                elif key.fileobj == self._lifeline:
                    self._selector.unregister(self._lifeline)
                    self._end()
                elif key.data in self._clients:
                    self._listen_to(key.data)
            if self._outcome and not self._clients:
                self._selector.close()
                return self._outcome

    def _answer(self) -> Forked | None:
        """Answer a client; what this process is to run if it was forked for it."""
        connection, _ = self._listener.accept()
        connection.settimeout(_CLIENT_SECONDS)
        with suppress(OSError, ValueError):
            request, files = receive_request(connection)
            try:
                if self._accepts(request) and _lets_go(connection):
                    return self._fork(Forked(request, tuple(files), connection))
            finally:
                close(files)
        connection.close()
        return None

    def _accepts(self, request: Request) -> bool:
        if not self._is_current():
            self._stop(Outcome.OUTDATED)
        return self._outcome is None and request.program in self._programs and request.interpreter == self._interpreter

    def _fork(self, forked: Forked) -> Forked | None:
        # A signal that comes before the fork has its own handlers would be taken for one of this process.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
        except OSError:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            raise
        if pid == 0:
            self._selector.close()
            for client in self._clients.values():
                client.close()
            return forked.with_files_of_its_own()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        become_leader(pid)
        self._clients[pid] = forked.connection
        self._selector.register(forked.connection, selectors.EVENT_READ, pid)
        return None

    def _note_signals(self) -> None:
        with suppress(BlockingIOError):
            if _ENDING.intersection(self._wakeup.recv(4096)):
                self._end()
        for pid in [*self._clients]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._note_end(pid, os.waitstatus_to_exitcode(status))

    def _end(self) -> None:
        self._stop(Outcome.TOLD_TO_END)
        for pid in self._clients:
            _signal(pid, signal.SIGTERM)

    def _stop(self, outcome: Outcome) -> None:
        """Take no more commands; who tries from now on finds no socket."""
        if self._outcome is None:
            (self._home / SOCKET).unlink(missing_ok=True)
            self._selector.unregister(self._listener)
            self._listener.close()
        self._outcome = outcome

    def _listen_to(self, pid: int) -> None:
        """Pass on a signal of a client; if the client is gone, its command has to end."""
        try:
            message = hear(self._clients[pid])
        except (OSError, ValueError):
            message = None
        if message is None:
            self._selector.unregister(self._clients[pid])
            _signal(pid, signal.SIGTERM)
        elif message[0] is Kind.SIGNAL:
            _signal(pid, message[1])

    def _note_end(self, pid: int, code: int) -> None:
        client = self._clients.pop(pid)
        with suppress(KeyError):
            self._selector.unregister(client)
        with client, suppress(OSError):
            say(client, Kind.ENDED, code if code >= 0 else 128 - code)


def _lets_go(connection: socket.socket) -> bool:
    say(connection, Kind.ACCEPTED)
    return hear(connection) == (Kind.GO, 0)


def _signal(pid: int, number: int) -> None:
    """Signal a command and what it has started, as a terminal would."""
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
