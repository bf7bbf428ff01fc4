"""Tables that are made as a contract declares them are a source like any other: what is synced from them is as suites declare it."""

from collections.abc import Callable

import pytest

from dagster_project.contracts.loading import load_contracts
from dagster_project.ingestion.sync import sync
from dagster_project.quality.suites import load_suites
from tests.databases import run
from tests.tables import declared_types, make_declared_tables

CONTRACTS = load_contracts()
RAW_TYPES = "select attname::text, format_type(atttypid, null) from pg_attribute where attrelid = %s::regclass and attnum > 0"
FOREIGN_KEYS = "select count(*) from pg_constraint where contype = 'f'"


@pytest.mark.parametrize("system", CONTRACTS)
def test_what_is_synced_from_them_is_as_declared(new_database: Callable[[str], str], system: str) -> None:
    contract, source, warehouse = CONTRACTS[system], new_database("empty"), new_database("warehouse")
    make_declared_tables(contract, source)
    sync(contract, source, warehouse)
    raw = {table.name: dict(run(warehouse, RAW_TYPES, f"{table.raw_schema}.{table.name}")) for table in contract.bound_tables()}
    assert raw == {table: declared_types(load_suites()[f"{system}.{table}"]) for table in contract.tables}
    assert run(source, FOREIGN_KEYS) == [(sum(len(table.references) for table in contract.tables.values()),)]
