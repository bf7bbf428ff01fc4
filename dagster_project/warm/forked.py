"""A process that the warm process has forked, on its way to being the command.

Belongs here: what it takes over from the client, and what it must not keep of the warm process. Does not belong here: what it then runs
(`warm_process`).
"""

import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

from dagster_project.warm.messages import Kind, Request, close, say

# Those that the warm process handles in its own way.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True)
class Forked:
    """A command and who asked for it.

    Attributes:
        request: The command.
        files: The open files of the client: three streams and the working directory.
        connection: To the client. It stays open while the process lives, so that a client never takes it for ended too early.
    """

    request: Request
    files: tuple[int, ...]
    connection: socket.socket

    def with_files_of_its_own(self) -> Self:
        """The same with copies of the files: the others are about to be closed."""
        return replace(self, files=tuple(map(os.dup, self.files)))

    def become_the_command(self) -> None:
        """Take over everything from the client, and tell it that its command has started."""
        become_leader(os.getpid())
        *streams, directory = self.files
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.fchdir(directory)
        close([*self.files])
        os.umask(self.request.umask)
        os.environ.clear()
        os.environ.update(self.request.environment)
        time.tzset()
        sys.argv = self.request.arguments
        sys.stdout.reconfigure(line_buffering=os.isatty(1) or bool(os.environ.get("PYTHONUNBUFFERED")))  # type: ignore[union-attr]
        say(self.connection, Kind.STARTED)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def handle_as_usual() -> None:
    """Let signals do what they do to any program in Python."""
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def become_leader(pid: int) -> None:
    """Give a process a group of its own, which can be signalled; both it and its parent do so, because nobody knows who is first."""
    with suppress(ProcessLookupError, PermissionError):
        os.setpgid(pid, pid)
