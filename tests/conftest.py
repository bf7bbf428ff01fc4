"""Fixtures shared by all tests: one real PostgreSQL server per session, databases cloned from migrated templates.

Belongs here: servers and databases, and options of pytest. Does not belong here: rows of any system (each test folder makes its own).
"""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from dagster_project.resources.embedded import EmbeddedServer
from tests.tables import make_tables

# Tests may lose their server's last writes in a crash of the machine, and they empty many small tables, for each of which the server looks
# through all shared memory; nothing else differs from the real thing.
_TEST_SERVER = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "'64MB'"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of the tests of pages."""
    parser.addoption("--rewrite", action="store_true", help="write into the pages what marts say of themselves, or what examples print")


@pytest.fixture(autouse=True)
def usual_umask() -> None:
    """Each test begins with the usual one: a command, also in a fixture of a module, closes its files for the rest of its process."""
    os.umask(0o022)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A running PostgreSQL 18."""
    server = EmbeddedServer(Path(tmp_path_factory.mktemp("postgres")) / "data", _TEST_SERVER)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def template_database(server: EmbeddedServer) -> Callable[[str], str]:
    """Name of a template database for `empty`, `warehouse` or a system, made once per session."""
    made: dict[str, str] = {}

    def template(kind: str) -> str:
        if kind not in made:
            name = f"template_{kind}"
            server.ensure_database(name)
            if kind != "empty":
                make_tables(kind, server.url(name))
            made[kind] = name
        return made[kind]

    return template


@pytest.fixture
def new_database(server: EmbeddedServer, template_database: Callable[[str], str]) -> Iterator[Callable[[str], str]]:
    """`new_database("forecast_tracking")` gives the libpq URL of a fresh database with all tables, which is dropped after the test.

    Kinds: `empty`, `warehouse`, or the name of a system.
    """
    counter = itertools.count()
    created: list[str] = []

    def execute(statement: str) -> None:
        connection = psycopg2.connect(server.url("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def create(kind: str) -> str:
        name = f"test_{kind}_{next(counter)}"
        template = template_database(kind)
        execute(f'drop database if exists "{name}" with (force)')
        execute(f'create database "{name}" template "{template}"')
        # A clone has the template's contents but not the rights on the database itself.
        execute(f"update pg_database set datacl = (select datacl from pg_database where datname = '{template}') where datname = '{name}'")
        created.append(name)
        return server.url(name)

    yield create
    for name in created:
        execute(f'drop database "{name}" with (force)')
