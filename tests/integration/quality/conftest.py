"""A warehouse with the clean small source in it, synced, and copies of it to corrupt.

Belongs here: databases that the quality tests share. Does not belong here: the corruptions (`corruptions`).
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
import yaml
from sqlalchemy import make_url

from dagster_project.contracts.loading import load_contracts
from dagster_project.ingestion.sync import sync
from dagster_project.marts.lineage import read_project
from dagster_project.marts.plan import make_plan
from dagster_project.quality.metric_ranges import declare, load_metric_ranges
from dagster_project.quality.validation import Project, warehouse_connection
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.resources.manifest import load_manifest
from dagster_project.settings import DBT_PROJECT, has_migrations
from migrations.run import upgrade
from tests.integration.quality.rows_of_marts import RowsOfMart, rows_of_marts

# Of all systems, those of tenants among them: what a suite says holds in whatever warehouse.
PROJECT = Project(load_contracts(), make_plan(read_project(load_manifest()), load_contracts()))
CONTRACT = PROJECT.contracts["forecast_tracking"]

# An hour before, with the same counts: what a check of growth compares with.
_AN_EARLIER_SYNC = (
    "insert into ops.batches overriding system value select -batch_id, system, run_id, capture, snapshot, started_at, committed_at "
    "from ops.batches",
    "insert into ops.table_syncs select -batch_id, system, table_name, synced_at - interval '1 hour', source_rows, rows_read, "
    "rows_inserted, rows_updated, rows_deleted, seconds, found_by, bytes_read from ops.table_syncs",
)

# Plausible values by type, so that a mart has rows without a run of dbt; what a type cannot say, `marts/` says.
_VALUES = {"text": "'x'", "varchar": "'x'", "boolean": "true", "date": "date '2025-01-01' + number", "timestamp": "timestamp '2025-01-01'",
    "timestamptz": "current_timestamp", "bigint": "1", "integer": "1", "double precision": "0.5", "numeric": "0.5",
    "jsonb": "'{}'", "uuid": "gen_random_uuid()"}  # fmt: skip
_VALUES_IN_EVERY_MART = {"source_batch_id": "(select max(batch_id) from ops.batches)", "valid_to": "null"}


def candidates() -> Iterator[str]:
    """Statements that make every mart's candidate as its contract says, with rows that break no expectation."""
    told = rows_of_marts()
    for path in sorted((DBT_PROJECT / "models" / "marts").rglob("*.yml")):
        (mart,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
        rows = told.get(path.parent.name, {}).get(mart["name"], RowsOfMart())
        types = {column["name"]: column["data_type"] for column in mart["columns"]}
        by_name = {**_VALUES_IN_EVERY_MART, **rows.values}
        definitions = ", ".join(f"{column} {kind}" for column, kind in types.items())
        values = (by_name.get(column) or _VALUES[kind.removeprefix("pg_catalog.").partition("(")[0]] for column, kind in types.items())
        name = f"analytics_next.{mart['name']}"
        yield f"create table {name} ({definitions})"
        yield f"insert into {name} select {', '.join(values)} from generate_series(1, {rows.rows}) as number"
        yield f"grant select on {name} to runmart_transform"


# The refresh that made them, which had read everything.
_A_REFRESH = (
    "insert into ops.refresh_under_way (started_at, definition, batches, is_full, is_forced, left_out, untouched, relations)"
    " select current_timestamp, '', jsonb_object_agg(system, batch_id), true, false, '{}', '{}', '{}' from ops.sync_state",
)


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


def clean_source(system: str) -> Path:
    """Rows for the source: those that its corruptions need, or one in every table."""
    here = Path(__file__).parent
    needed = here / "raw" / f"{system}.sql"
    return needed if needed.exists() else here.parent / "migrations" / f"{system}.sql"


@pytest.fixture(scope="session")
def clean_warehouse(template_database: Callable[[str], str], copy_database: Callable[[str], str]) -> str:
    """URL of a warehouse that equals clean sources after their second sync. Nobody may change it."""
    warehouse_url = copy_database(template_database("empty"))
    # Rights on a database are not copied with it: this one is migrated itself.
    upgrade("warehouse", warehouse_url)
    for system, contract in PROJECT.contracts.items():
        source_url = copy_database(template_database(system))
        # Rows of a database that others build are others' business: its tables stay empty.
        if has_migrations(system):
            execute(source_url, clean_source(system).read_text(encoding="utf-8"))
        sync(contract, source_url, warehouse_url)
    with warehouse_connection(warehouse_url) as connection:
        declare(connection, load_metric_ranges())
    execute(warehouse_url, *_AN_EARLIER_SYNC, *_A_REFRESH, *candidates())
    return warehouse_url
