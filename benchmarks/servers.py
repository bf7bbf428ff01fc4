"""Throw-away PostgreSQL servers that benchmarks run against.

Belongs here: two durable servers, one for sources and one for warehouses as in real life, and databases on them. Does not belong here:
rows (`metrics_table`) and clocks (`stopwatch`).
"""

import itertools
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from dagster_project.resources.embedded import EmbeddedServer
from migrations.run import upgrade


class Server:
    """One running server and the databases that were made on it."""

    def __init__(self, embedded: EmbeddedServer) -> None:
        self._embedded = embedded
        self._numbers = itertools.count()

    @property
    def process_id(self) -> int:
        """Process of the postmaster, of which all others of the server are children."""
        return int((self._embedded.folder / "postmaster.pid").read_text().splitlines()[0])

    @property
    def version(self) -> str:
        """Version of PostgreSQL, such as `18.4`."""
        ((version,),) = execute(self._embedded.url("postgres"), "show server_version")
        return str(version)

    def new_database(self, kind: str) -> str:
        """URL (libpq) of a new database, migrated as `kind` (`empty`: not at all)."""
        name = f"{kind}_{next(self._numbers)}"
        self._embedded.ensure_database(name)
        url = self._embedded.url(name)
        if kind != "empty":
            upgrade(kind, url)
        return url

    def drop(self, url: str) -> None:
        """Drop a database, whoever still uses it."""
        (name,) = re.findall(r"@/(\w+)", url)
        execute(self._embedded.url("postgres"), f"drop database {name} with (force)")

    def wait_until_idle(self) -> None:
        """Wait until the processes of connections that were closed have ended."""
        others = "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
        while execute(self._embedded.url("postgres"), others) != [(0,)]:
            time.sleep(0.01)

    def settle(self) -> None:
        """Write out what earlier work left in memory, so that the next measurement does not pay for it."""
        execute(self._embedded.url("postgres"), "checkpoint")


@dataclass(frozen=True)
class ServerPair:
    """The server of the sources and the server of the warehouses."""

    source: Server
    warehouse: Server


@contextmanager
def server_pair() -> Iterator[ServerPair]:
    """Two running servers."""
    with _server("source") as source, _server("warehouse") as warehouse:
        yield ServerPair(source, warehouse)


@contextmanager
def _server(name: str) -> Iterator[Server]:
    """A running server as Runmart embeds it, with its durable settings; removed with all its databases at the end."""
    with tempfile.TemporaryDirectory(prefix=f"runmart_bench_{name}_") as folder:
        embedded = EmbeddedServer(Path(folder) / "data")
        embedded.start()
        try:
            yield Server(embedded)
        finally:
            embedded.stop()


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Execute statements in one transaction of their own; the rows of the last one."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
