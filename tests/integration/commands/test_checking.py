"""Which rows fail a check: in the shared warehouse, and in that of a tenant, of checks that no suite has too."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from dagster_project.commands.checking import failing_rows
from dagster_project.contracts.loading import load_contracts
from dagster_project.demo.llm_tenant import fill_tenant
from dagster_project.ingestion.sync import sync
from dagster_project.postgres.urls import database_of
from dagster_project.quality.storage import Storage
from dagster_project.quality.stored_files import CHECK, check_files
from dagster_project.resources.databases import Databases
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.resources.tenant_databases import make_warehouse
from dagster_project.resources.tenants import tenant_warehouse
from dagster_project.settings import ConfigurationError, Settings
from dagster_project.warehouse import Warehouse
from tests.databases import run

SYSTEM = "llm_workflow"


@pytest.fixture
def databases(new_database: Callable[[str], str], tmp_path: Path) -> Databases:
    """The shared warehouse, and a list of tenants with one."""
    listing = new_database("llm_control")
    run(listing, "insert into tenants (id, name, database_url) values ('acme', 'Acme', 'postgresql:///nowhere')")
    return Databases(Settings(home=tmp_path, warehouse_url=new_database("warehouse"), source_urls={"llm_control": listing}))


@pytest.fixture
def warehouse(databases: Databases, server: EmbeddedServer) -> Iterator[Warehouse]:
    """The warehouse of the tenant."""
    make_warehouse(databases, SYSTEM, "acme")
    made = tenant_warehouse(databases, SYSTEM, "acme")
    yield made
    with closing(psycopg2.connect(server.url("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        name = database_of(made.url)
        cursor.execute(f'drop database "{name}" with (force)')
        cursor.execute(f'drop role "{name}"')


def test_files_that_are_missing_are_shown_for_the_tenant(
    databases: Databases, warehouse: Warehouse, new_database: Callable[[str], str], tmp_path: Path
) -> None:
    source, storage = new_database(SYSTEM), tmp_path / "files"
    fill_tenant(source, "acme", storage, lambda _: None, runs=2)
    contract = load_contracts()[SYSTEM]
    sync(contract, source, warehouse.url)
    ((identity, path),) = run(source, "select id, file_path from artifacts order by id limit 1")
    (storage / path.partition("/")[2]).unlink()
    check_files(warehouse, contract.table("artifacts"), Storage.at(storage.as_uri()), "a run")
    total, rows = failing_rows(databases, f"{SYSTEM}/artifacts", CHECK, 20, "acme")
    assert total == 1
    assert [row.observed for row in rows] == [{"id": identity, "file_path": path, "problem": "missing"}]
    assert failing_rows(databases, f"{SYSTEM}/artifacts", "key_is_unique", 20, "acme") == (0, [])


def test_each_warehouse_has_the_checks_of_its_own_tables(databases: Databases, warehouse: Warehouse) -> None:
    assert failing_rows(databases, "llm_control/tenants", "key_is_unique", 20) == (0, [])
    with pytest.raises(ConfigurationError, match="there is no asset 'llm_workflow/artifacts' that has checks"):
        failing_rows(databases, f"{SYSTEM}/artifacts", CHECK, 20)
    with pytest.raises(ConfigurationError, match="there is no asset 'llm_control/tenants' that has checks"):
        failing_rows(databases, "llm_control/tenants", "key_is_unique", 20, "acme")
    with pytest.raises(ConfigurationError, match=f"there is no check 'files_are_as_recordet' of {SYSTEM}/artifacts; did you mean {CHECK}"):
        failing_rows(databases, f"{SYSTEM}/artifacts", "files_are_as_recordet", 20, "acme")
    with pytest.raises(ConfigurationError, match="there is no tenant of llm_workflow 'globex'"):
        failing_rows(databases, f"{SYSTEM}/artifacts", CHECK, 20, "globex")
