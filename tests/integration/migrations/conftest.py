"""A migrated forecast tracking database, empty or with one row in every table.

Belongs here: databases and the older server that the tests of migrations share. Does not belong here: what they test.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from dagster_project.resources.embedded import EmbeddedServer

ONE_ROW_EACH = Path(__file__).with_name("forecast_tracking.sql").read_text(encoding="utf-8")
PEOPLE = ("test_ada", "test_bob", "test_root")

RESTART_SEQUENCES = """
do $$
declare
    name regclass;
begin
    for name in select oid from pg_class where relkind = 'S' and relnamespace in ('public'::regnamespace, 'audit'::regnamespace) loop
        execute format('alter sequence %s restart', name);
    end loop;
end $$
"""


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


class Scratch(Database):
    """A database whose every change is undone between tests; a failed statement undoes itself only."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._connection.autocommit = False

    def rows(self, statement: str, *values: object, role: str = "none") -> list[tuple[object, ...]]:
        super().rows("savepoint statement")
        try:
            return super().rows(statement, *values, role=role)
        except psycopg2.Error:
            self._connection.cursor().execute("rollback to savepoint statement")
            raise

    def begin(self) -> None:
        """Start with the first number of every sequence."""
        self.rows(RESTART_SEQUENCES)

    def undo(self) -> None:
        """Forget everything since `begin`."""
        self._connection.rollback()


@pytest.fixture(scope="session")
def old_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A running PostgreSQL 16 with nothing in it."""
    server = EmbeddedServer(Path(tmp_path_factory.mktemp("postgres16")) / "data", {"fsync": "off"}, version=16)
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
def own(new_database: Callable[[str], str]) -> Iterator[Database]:
    """A migrated database of the test's own with one row in every table, for work over several connections."""
    database = Database(new_database("forecast_tracking"))
    database.rows(ONE_ROW_EACH)
    yield database
    database.close()


@pytest.fixture(scope="session")
def scratch(server: EmbeddedServer, template_database: Callable[[str], str]) -> Iterator[Scratch]:
    """The migrated database behind `database`."""
    postgres = Database(server.url("postgres"))
    postgres.rows(f"create database migrations_scratch template {template_database('forecast_tracking')}")
    postgres.close()
    scratch = Scratch(server.url("migrations_scratch"))
    yield scratch
    scratch.close()


@pytest.fixture
def database(scratch: Scratch) -> Iterator[Database]:
    """A migrated database without rows, in one transaction."""
    scratch.begin()
    yield scratch
    scratch.undo()


@pytest.fixture
def filled(database: Database) -> Database:
    """A migrated database with one row in every table, in one transaction."""
    database.rows(ONE_ROW_EACH)
    return database


@pytest.fixture
def people(database: Database) -> Database:
    """A migrated database where two data scientists and a superuser of the tracker exist, as database roles and as users."""
    for person in PEOPLE:
        database.rows(f"create role {person}")
        database.rows(f"grant data_scientist to {person}")
        database.rows("insert into users (username, email) values (%s, %s)", person, f"{person}@example.org")
    database.rows("update users set is_superuser = true where username = 'test_root'")
    return database
