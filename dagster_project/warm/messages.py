"""What a command and the warm process say to each other.

Belongs here: the request, the messages after it, and how both go over a socket. Does not belong here: who says what when (`client`,
`server`).

The command sends its request and its open files; the warm process accepts it or closes the connection. Until the command says go, nothing
has started. From then on it must not start by itself, unless it hears the end of the connection before it hears of a start: the process
that was forked says that it has started before it does anything, and keeps the connection open while it lives.
"""

import array
import json
import os
import socket
import sys
from dataclasses import asdict, dataclass
from enum import IntEnum

from dagster_project.places import PROJECT_ROOT

# Name of the socket in a home.
SOCKET = "warm"

# Standard input, output and error, and the working directory.
_FILES = 4
_LENGTH_BYTES = 8

# What Python and libraries read of the environment as they start, and never again.
_READ_AT_START = ("PYTHON", "LD_", "GRPC_", "DAGSTER_", "DBT_PACKAGE_HUB_URL", "TYPER_", "TERMINAL_WIDTH", "_TYPER_")
# Of these, what is read whenever it is needed, of no use here, or taken over by a fork (`forked`). Runs and `runmart up` set it.
_NOT_SETTLED = {
    "DAGSTER_HOME",
    "DAGSTER_DISABLE_TELEMETRY",
    "DAGSTER_EVENT_BATCH_SIZE",
    "DAGSTER_DBT_CLI",
    "PYTHONLEGACYWINDOWSSTDIO",
    "PYTHONUNBUFFERED",
}


class Kind(IntEnum):
    """What a message says; the byte after it is its number."""

    ACCEPTED = 1
    GO = 2
    STARTED = 3
    SIGNAL = 4
    ENDED = 5


@dataclass(frozen=True)
class Request:
    """A command that is to be run.

    Attributes:
        program: Its name among those that the warm process knows.
        arguments: Its `sys.argv`.
        environment: Its environment.
        umask: The rights that its files do not have.
        interpreter: See `interpreter`.
    """

    program: str
    arguments: list[str]
    environment: dict[str, str]
    umask: int
    interpreter: dict[str, str]


def interpreter() -> dict[str, str]:
    """What this process has from its start; one that differs in it would run the command otherwise."""
    settled = {name: value for name, value in os.environ.items() if name.startswith(_READ_AT_START) and name not in _NOT_SETTLED}
    encodings = (sys.getfilesystemencoding(), sys.stdout.encoding, sys.stdout.errors, sys.stderr.errors)
    return {**settled, "project": str(PROJECT_ROOT), "python": f"{sys.prefix} {sys.version}", "encodings": " ".join(map(str, encodings))}


def send_request(connection: socket.socket, request: Request, directory: int) -> None:
    """Send a request with the open files of this process.

    Args:
        connection: To the warm process.
        request: What is asked.
        directory: The working directory, opened.
    """
    body = json.dumps(asdict(request)).encode()
    socket.send_fds(connection, [len(body).to_bytes(_LENGTH_BYTES)], [0, 1, 2, directory])
    connection.sendall(body)


def receive_request(connection: socket.socket) -> tuple[Request, list[int]]:
    """A request, and the files that came with it: three streams and the working directory.

    Raises:
        ValueError: It is none.
        OSError: It did not come in time.
    """
    length, files, _, _ = _receive_files(connection)
    try:
        if len(files) != _FILES:
            raise ValueError("the files of a request are missing")
        return Request(**json.loads(_receive(connection, int.from_bytes(length)))), files
    except (TypeError, ValueError) as error:
        close(files)
        raise ValueError(f"this is no request: {error}") from error
    except OSError:
        close(files)
        raise


def _receive_files(connection: socket.socket) -> tuple[bytes, list[int], int, object]:
    # `socket.recv_fds` would let programs that other commands start inherit them.
    size = array.array("i").itemsize
    data, ancillary, flags, address = connection.recvmsg(_LENGTH_BYTES, socket.CMSG_LEN(_FILES * size))
    files = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(content[: len(content) - len(content) % size])
    for file in files:
        os.set_inheritable(file, False)
    return data, list(files), flags, address


def close(files: list[int]) -> None:
    """Close open files."""
    for file in files:
        os.close(file)


def say(connection: socket.socket, kind: Kind, number: int = 0) -> None:
    """Send a message."""
    connection.sendall(bytes((kind, number)))


def hear(connection: socket.socket) -> tuple[Kind, int] | None:
    """The next message; None when there will be none.

    Raises:
        ValueError: It is none.
        OSError: It did not come in time.
    """
    message = _receive(connection, 2)
    return (Kind(message[0]), message[1]) if message else None


def _receive(connection: socket.socket, length: int) -> bytes:
    """So many bytes, or none at the end of the connection."""
    received = bytearray()
    while len(received) < length:
        part = connection.recv(length - len(received))
        if not part:
            return b""
        received += part
    return bytes(received)
