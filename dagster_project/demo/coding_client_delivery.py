"""Notifications that are really delivered: over HTTP, to a receiver of our own on the loopback address, which refuses some.

Belongs here: the receiver, and attempts with what came back. Does not belong here: what is told and to whom (`coding_client`).

Whether the receiver refuses follows from the key of a notification alone, so that every machine has the same outcomes; the times are those
that were measured. What it was sent and what it answered stands in a file, a line of JSON for each request.
"""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

MAX_RETRIES = 3
_TIMEOUT_SECONDS = 5.0
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Attempt:
    """One request: when its answer came, and the answer."""

    at: datetime
    response_code: int

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has taken the notification."""
        return self.response_code == HTTPStatus.ACCEPTED


@contextmanager
def receiver(record: Path) -> Iterator[HTTPConnection]:
    """A running receiver, and a connection to it.

    Args:
        record: File to which every request and its answer are added.
    """
    record.parent.mkdir(parents=True, exist_ok=True)
    seen: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer is two small packets; the second must not wait until the first is acknowledged.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            """Answer a notification."""
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen[told["key"]] += 1
            answer = _answer(uuid.UUID(told["key"]), seen[told["key"]])
            with record.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"path": self.path, "attempt": seen[told["key"]], "answer": answer, **told}) + "\n")
            self.send_response(answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing on stderr."""

    with ThreadingHTTPServer((_LOOPBACK, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        connection = HTTPConnection(_LOOPBACK, server.server_port, timeout=_TIMEOUT_SECONDS)
        try:
            yield connection
        finally:
            connection.close()
            server.shutdown()
            thread.join()


def deliver(connection: HTTPConnection, service: str, told: dict[str, Any]) -> list[Attempt]:
    """Send a notification, which has a UUID as `key`, until it is accepted or no retry is left; the attempts, at least one."""
    attempts: list[Attempt] = []
    while len(attempts) <= MAX_RETRIES and not (attempts and attempts[-1].is_accepted):
        connection.request("POST", f"/{service}", json.dumps(told), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        attempts.append(Attempt(datetime.now(UTC), response.status))
    return attempts


def _answer(key: uuid.UUID, attempt: int) -> int:
    """One in 16 is always refused; three in 16 are refused once or twice, as by a service that is busy."""
    kind = key.int % 16
    if kind == 0:
        return HTTPStatus.INTERNAL_SERVER_ERROR
    return HTTPStatus.SERVICE_UNAVAILABLE if attempt <= {1: 1, 2: 1, 3: 2}.get(kind, 0) else HTTPStatus.ACCEPTED
