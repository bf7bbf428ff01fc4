"""Each check sees the fault that it is named after, and a clean warehouse fails none."""

from collections.abc import Callable, Iterator

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from dagster_project.quality.failing_rows import failing_query
from dagster_project.quality.suites import Suite, load_suites
from dagster_project.quality.validation import validate
from tests.integration.quality.conftest import CONTRACT, database_of, execute, fetch
from tests.integration.quality.corruptions import HEADLINES, RAW, Corruption, Headline, corruptions

SUITES = {suite.table: suite for suite in load_suites().values() if suite.system == "forecast_tracking"}


@pytest.fixture(scope="session")
def corruptible(clean_warehouse: str, copy_database: Callable[[str], str]) -> str:
    """A copy whose raw tables take any row: without keys and not-null constraints. Nobody may change it."""
    url = copy_database(database_of(clean_warehouse))
    for table, declared in CONTRACT.tables.items():
        keep_no_key = (f"alter table {RAW}.{table} alter column {column} drop not null" for column in declared.key)
        execute(url, f"alter table {RAW}.{table} drop constraint {table}_pkey", *keep_no_key)
    return url


@pytest.fixture(scope="session")
def uncommitted(corruptible: str, copy_database: Callable[[str], str]) -> Iterator[Connection]:
    """A connection to a copy of it; each test rolls back."""
    connection = psycopg2.connect(copy_database(database_of(corruptible)))
    yield connection
    connection.close()


@pytest.mark.parametrize("table", CONTRACT.tables)
def test_clean_warehouse_fails_no_check(clean_warehouse: str, table: str) -> None:
    validation = validate(clean_warehouse, SUITES[table])
    assert [result for result in validation.results if not result.is_success] == []
    (live_rows,) = fetch(clean_warehouse, f"select count(*) from {RAW}.{table} where _deleted_at is null")[0]
    assert {result.evaluated_rows for result in validation.results} == {live_rows, None}


@pytest.mark.parametrize(
    "corruption",
    [corruption for suite in SUITES.values() for corruption in corruptions(suite)],
    ids=lambda corruption: f"{corruption.check}: {corruption.what}",
)
def test_query_of_a_check_finds_its_corruption(uncommitted: Connection, corruption: Corruption) -> None:
    suite = SUITES[corruption.table]
    (expectation,) = suite.only({corruption.check}).expectations
    with uncommitted.cursor() as cursor:
        cursor.execute(failing_query(suite, expectation))
        assert cursor.fetchall() == []
        cursor.execute(corruption.statement)
        cursor.execute(failing_query(suite, expectation))
        assert cursor.fetchall() != []
    uncommitted.rollback()


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_every_check_fails_on_a_table_with_every_corruption(corruptible: str, copy_database: Callable[[str], str], suite: Suite) -> None:
    first_of_each: dict[str, str] = {}
    for corruption in corruptions(suite):
        first_of_each.setdefault(corruption.check, corruption.statement)
    url = copy_database(database_of(corruptible))
    execute(url, *first_of_each.values())
    results = validate(url, suite).results
    assert [result.check_name for result in results if result.is_success or result.error] == []
    for result in results:
        failing = fetch(url, result.failing_query)
        assert len(failing) == result.failing_rows, result.check_name
        assert len(result.failing_sample) == min(len(failing), 20)


@pytest.mark.parametrize("headline", HEADLINES, ids=lambda headline: headline.what)
def test_headline_corruption_fails_the_named_checks_and_no_other(
    corruptible: str, copy_database: Callable[[str], str], headline: Headline
) -> None:
    url = copy_database(database_of(corruptible))
    execute(url, headline.statement)
    tables = {check.partition("__")[0] for check in headline.fails}
    results = [result for table in tables for result in validate(url, SUITES[table]).results]
    assert {result.check_name for result in results if not result.is_success} == headline.fails
