"""Handing a command over to the warm process of a home.

Belongs here: finding out whether it takes the command, passing signals on, waiting for the end. Does not belong here: what happens
otherwise (`start`).
"""

import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from dagster_project.warm.messages import SOCKET, Kind, Request, hear, interpreter, say, send_request

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# A warm process that does not answer at once is of no use.
_ANSWER_SECONDS = 1.0


def handed_over(
    home: Path, program: str, arguments: Sequence[str], environment: Mapping[str, str], answer_seconds: float = _ANSWER_SECONDS
) -> int | None:
    """Let the warm process of a home run a command, with the open files and the working directory of this process.

    Args:
        home: The home, or whatever folder the socket is in.
        program: Name of the program.
        arguments: Its `sys.argv`.
        environment: Its environment.
        answer_seconds: How long to wait for an answer.

    Returns:
        The exit code, 128 and the signal of a command that was killed; None if the command has not been started, and will not be.
    """
    if not (home / SOCKET).exists():
        return None
    try:
        directory = os.open(".", os.O_RDONLY)
    except OSError:
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.settimeout(answer_seconds)
            _connect(connection, home, directory)
            send_request(connection, Request(program, [*arguments], dict(environment), _umask(), interpreter()), directory)
            if hear(connection) != (Kind.ACCEPTED, 0):
                return None
        except (OSError, ValueError):
            return None
        finally:
            os.close(directory)
        connection.settimeout(None)
        return _end(connection)


def _connect(connection: socket.socket, home: Path, directory: int) -> None:
    """Connect from within the home: its path may be too long for a socket."""
    os.chdir(home)
    try:
        connection.connect(SOCKET)
    finally:
        os.fchdir(directory)


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _end(connection: socket.socket) -> int | None:
    """Let the command go, and wait for its end; None if it did not come to start."""
    has_started = False
    with _passing_signals_on(connection), suppress(OSError, ValueError):
        say(connection, Kind.GO)
        while message := hear(connection):
            kind, number = message
            if kind is Kind.ENDED:
                return number
            has_started = has_started or kind is Kind.STARTED
    if not has_started:
        return None
    print("error: the warm process has died, and with it what is known of this command; `runmart up` starts it again", file=sys.stderr)
    return 1


@contextmanager
def _passing_signals_on(connection: socket.socket) -> Iterator[None]:
    def pass_on(number: int, _frame: FrameType | None) -> None:
        try:
            say(connection, Kind.SIGNAL, number)
        except OSError:
            # Nobody is there to take it.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    previous = {number: signal.signal(number, pass_on) for number in _PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
