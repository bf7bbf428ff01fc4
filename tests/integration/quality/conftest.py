"""A warehouse with the clean small source in it, synced twice, and copies of it to corrupt.

Belongs here: databases that the quality tests share. Does not belong here: the corruptions (`corruptions`).
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from dagster_project.components.contract import load_contracts
from dagster_project.ingestion.sync import sync
from dagster_project.resources.embedded import EmbeddedServer
from migrations.run import upgrade

CONTRACT = load_contracts()["forecast_tracking"]


def execute(url: str, *statements: str) -> None:
    """Run statements, committed together."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def fetch(url: str, query: str) -> list[tuple[object, ...]]:
    """All rows of a query."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        rows = cursor.fetchall()
    connection.close()
    return rows


def database_of(url: str) -> str:
    """Name of the database that a URL leads to."""
    return str(make_url(url).database)


@pytest.fixture(scope="session")
def copy_database(server: EmbeddedServer) -> Iterator[Callable[[str], str]]:
    """`copy_database(name)` gives the URL of a fresh copy, dropped at the end of the session."""
    counter = itertools.count()
    made: list[str] = []

    def administrate(statement: str) -> None:
        connection = psycopg2.connect(server.url("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def copy(template: str) -> str:
        name = f"quality_{next(counter)}"
        administrate(f'create database "{name}" template "{template}"')
        made.append(name)
        return server.url(name)

    yield copy
    for name in made:
        administrate(f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def clean_warehouse(template_database: Callable[[str], str], copy_database: Callable[[str], str]) -> str:
    """URL of a warehouse that equals a clean source after two syncs. Nobody may change it."""
    source_url = copy_database(template_database("forecast_tracking"))
    execute(source_url, (Path(__file__).parent / "clean_source.sql").read_text(encoding="utf-8"))
    warehouse_url = copy_database(template_database("empty"))
    # Rights on a database are not copied with it: this one is migrated itself.
    upgrade("warehouse", warehouse_url)
    for _ in range(2):
        sync(CONTRACT, source_url, warehouse_url)
    return warehouse_url
