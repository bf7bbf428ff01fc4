"""Places to copy between: a source and a warehouse server, and fresh databases on them.

Belongs here: making and dropping databases from templates. Does not belong here: the servers' own fate (`servers`).
"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from migrations.run import upgrade
from tests.integration.capture.servers import Server
from tests.integration.capture.tables import DDL

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """A database with the awkward tables, an empty migrated warehouse, and the servers that they are on."""

    source_server: Server
    warehouse_server: Server
    source: str
    warehouse: str

    @property
    def source_url(self) -> str:
        """URL of the source, for libpq."""
        return self.source_server.url(self.source)

    @property
    def warehouse_url(self) -> str:
        """URL of the warehouse, for libpq."""
        return self.warehouse_server.url(self.warehouse)

    def at_source(self, statement: str) -> list[tuple[object, ...]]:
        """Run statements at the source."""
        return self.source_server.execute(statement, self.source)

    def in_warehouse(self, statement: str) -> list[tuple[object, ...]]:
        """Run statements in the warehouse."""
        return self.warehouse_server.execute(statement, self.warehouse)


@contextmanager
def servers(folder: Path, version: int = 18) -> Iterator[tuple[Server, Server]]:
    """A source and a warehouse server with the templates that places are made of.

    The source shows commits long before they are on its disk, and the warehouse does so by default: each must be asked for better.
    """
    unsafe = {"synchronous_commit": "off", "wal_writer_delay": "'5s'"}
    source, warehouse = Server(folder / "source", unsafe, version), Server(folder / "warehouse", unsafe)
    with ExitStack() as running:
        for server in (source, warehouse):
            server.start()
            running.callback(server.stop)
            server.ensure_database("template")
        source.execute(DDL, "template")
        upgrade("warehouse", warehouse.url("template"))
        yield source, warehouse


@contextmanager
def place(source_server: Server, warehouse_server: Server) -> Iterator[Place]:
    """A fresh source and a fresh warehouse, dropped at the end."""
    name = f"place_{next(_numbers)}"
    for server in (source_server, warehouse_server):
        server.execute(f"create database {name} template template")
    # On its disk before anything crashes the server.
    warehouse_server.execute(
        "set synchronous_commit = on; "
        f"update pg_database set datacl = (select datacl from pg_database where datname = 'template') where datname = '{name}'"
    )
    try:
        yield Place(source_server, warehouse_server, name, name)
    finally:
        for server in (source_server, warehouse_server):
            server.start()
        source_server.execute(
            f"select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = '{name}' and not active"
        )
        for server in (source_server, warehouse_server):
            server.execute(f"drop database {name} with (force)")
