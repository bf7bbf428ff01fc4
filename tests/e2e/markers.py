"""Markers: texts, or addresses, that stand in one column of a source each, and by which it is known again wherever it has come.

Belongs here: which columns can hold one, writing them into a source, and finding them in a server, in files and in what was printed. Does
not belong here: which columns are read, and where a marker may be found.
"""

import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy import JSON, Boolean, Column, DateTime, Integer, Numeric, String, Table, Uuid
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.types import TypeEngine

from dagster_project.resources.embedded import EmbeddedServer
from tests.databases import run
from tests.e2e.shell import PSQL

PG_DUMP = PSQL.with_name("pg_dump")

# As long as an identifier that is not read may be; of one length, or one would be found within another.
_TEXT, _ADDRESS = "marker{:05d}end", "2001:db8:6d61:1{:03x}::726b"
_FOUND = re.compile(rb"marker\d{5}end|2001:db8:6d61:1[0-9a-f]{3}::726b")

# What a column of a type may have to look like, the plainest first.
_FORMS: dict[type[TypeEngine[Any]], tuple[str, ...]] = {
    String: ("{}", "{}@example.org", "https://example.org/{}"),
    JSON: ('{{"{0}": "{0}"}}', '["{}"]', '"{}"'),
    INET: ("{}",),
}
_WITHOUT_MARKER = (Boolean, DateTime, Integer, Numeric, Uuid)


def tables_of(system: str) -> dict[str, Table]:
    """The tables of a source database that Runmart builds, by name, as its models have them."""
    return {table.name: table for table in import_module(f"migrations.{system}.models").Base.metadata.sorted_tables}


def can_hold_marker(column: Column[object]) -> bool:
    """Whether a marker may stand in a column.

    Raises:
        AssertionError: Nobody has said that of its type yet.
    """
    if isinstance(column.type, _WITHOUT_MARKER):
        return False
    assert isinstance(column.type, tuple(_FORMS)), f"{column} is {column.type!r}: say in {__name__} what it may hold"
    return True


@dataclass
class Markers:
    """Those that were written, each with its column, such as `pipe_service.users.password_hash`."""

    columns: dict[str, str] = field(default_factory=dict)

    def write(self, url: str, system: str, column: Column[object], *, unchecked: bool = False) -> bool:
        """Write a new one into all rows of a column; False if its rules allow no form of one.

        Args:
            url: libpq URL of the source.
            system: Its system.
            column: A column that can hold one.
            unchecked: Leave triggers and foreign keys aside.
        """
        marker = (_ADDRESS if isinstance(column.type, INET) else _TEXT).format(len(self.columns))
        aside = "set session_replication_role = replica; " if unchecked else ""
        for form in next(forms for kind, forms in _FORMS.items() if isinstance(column.type, kind)):
            with suppress(psycopg2.IntegrityError, psycopg2.DataError):
                run(url, f'{aside}update {column.table} set "{column.name}" = %s', form.format(marker, marker))
                ((rows,),) = run(url, f'select count(*) from {column.table} where strpos("{column.name}"::text, %s) > 0', marker)
                assert rows, f"{column.table} of {system} has no row"
                self.columns[marker] = f"{system}.{column.table.name}.{column.name}"
                return True
        return False

    def found(self, places: Iterable[tuple[str, bytes]]) -> dict[str, set[str]]:
        """The places of each column whose marker stands in one."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for place, content in places:
            for marker in {match.decode() for match in _FOUND.findall(content)}:
                found[self.columns[marker]].add(place)
        return dict(found)


def databases(server: EmbeddedServer) -> Iterator[tuple[str, bytes]]:
    """All that is in each database of a server."""
    # As text, bytes too.
    environment = {**os.environ, "PGOPTIONS": "-c bytea_output=escape"}
    for (name,) in run(server.url("postgres"), "select datname from pg_database where datallowconn"):
        dumped = subprocess.run([str(PG_DUMP), server.url(name)], env=environment, capture_output=True, check=True)
        yield f"database {name}", dumped.stdout


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All that is in each file under a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
