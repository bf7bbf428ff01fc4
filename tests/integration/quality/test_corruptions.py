"""Each check sees the fault that it is named after, and a clean warehouse fails none."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.quality import holding
from dagster_project.quality.compiling import failing_query
from dagster_project.quality.quarantine import bring_up_to_date
from dagster_project.quality.rules import rule
from dagster_project.quality.suites import Severity, Suite
from dagster_project.quality.validation import validate
from tests.integration.quality.conftest import CONTRACT, PROJECT, database_of, execute, fetch
from tests.integration.quality.corruptions import SUITES, Corruption, corruptions, qualified
from tests.integration.quality.headlines import HEADLINED, HEADLINES, Headline

# What checks ask besides the table that they are about; what others refer to comes last.
_RECORDS = (("ops", "sync_state"), ("ops", "table_state"), ("ops", "table_syncs"), ("ops", "batches"))


@pytest.fixture(scope="session")
def corruptible(clean_warehouse: str, copy_database: Callable[[str], str]) -> str:
    """A copy whose tables take any row, without keys and not-null constraints, and whose clean state is saved in it."""
    url = copy_database(database_of(clean_warehouse))
    execute(url, "create schema saved", *(f"create table saved.{name} as table {schema}.{name}" for schema, name in _RECORDS))
    for suite in SUITES.values():
        execute(url, f"create table {_saved(suite)} as table {qualified(suite)}", *_restore(suite))
    return url


@pytest.fixture(scope="session")
def uncommitted(corruptible: str) -> Iterator[Connection]:
    """A connection to it; each test rolls back."""
    connection = psycopg2.connect(corruptible)
    yield connection
    connection.close()


def _saved(suite: Suite) -> str:
    return f'saved."{suite.name}"'


def _restore(suite: Suite, copies: int = 1) -> list[str]:
    table = qualified(suite)
    return [
        f"drop table {table}",
        f"create table {table} as select clean.* from {_saved(suite)} as clean, generate_series(1, {copies})",
        f"grant select on {table} to runmart_transform; grant select, update on {table} to runmart_ingest",
        *(f"delete from {schema}.{name}" for schema, name in _RECORDS),
        *(f"insert into {schema}.{name} overriding system value table saved.{name}" for schema, name in reversed(_RECORDS)),
    ]


@pytest.mark.parametrize("name", SUITES)
def test_clean_warehouse_fails_no_check(clean_warehouse: str, name: str) -> None:
    validation = validate(clean_warehouse, SUITES[name], PROJECT)
    assert [result for result in validation.results if not result.is_success] == []
    (live_rows,) = fetch(clean_warehouse, f"select count(*) from ({SUITES[name].rows_query}) as live")[0]
    assert live_rows
    assert {result.evaluated_rows for result in validation.results} - {None} == {live_rows}


@pytest.mark.parametrize(
    "corruption",
    [corruption for suite in SUITES.values() for corruption in corruptions(suite)],
    ids=lambda corruption: f"{corruption.suite}, {corruption.check}: {corruption.what}",
)
def test_query_of_a_check_finds_its_corruption(uncommitted: Connection, corruption: Corruption) -> None:
    suite = SUITES[corruption.suite]
    (expectation,) = suite.only({corruption.check}).expectations
    compiled = rule(suite, expectation)
    assert compiled
    with uncommitted.cursor() as cursor:
        cursor.execute(failing_query(compiled, suite.rows_query))
        assert cursor.fetchall() == []
        cursor.execute(corruption.statement)
        cursor.execute(failing_query(compiled, suite.rows_query))
        assert cursor.fetchall() != []
    uncommitted.rollback()


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_every_check_fails_on_a_table_with_every_corruption(corruptible: str, suite: Suite) -> None:
    first_of_each: dict[str, str] = {}
    for corruption in corruptions(suite):
        first_of_each.setdefault(corruption.check, corruption.statement)
    # Many copies of each row, so that every corruption finds a row that no other one has changed.
    execute(corruptible, *_restore(suite, copies=20), *first_of_each.values())
    try:
        results = validate(corruptible, suite, PROJECT, everything=True).results
        found = {result.check_name: len(fetch(corruptible, result.failing_query)) for result in results}
    finally:
        execute(corruptible, *_restore(suite))
    assert [result.check_name for result in results if result.is_success or result.error] == []
    assert {result.check_name: result.failing_rows for result in results} == found
    assert {result.check_name: len(result.failing_sample) for result in results} == {name: min(rows, 20) for name, rows in found.items()}


@pytest.mark.parametrize("headline", HEADLINES, ids=lambda headline: headline.what)
def test_headline_corruption_fails_the_named_checks_and_has_the_declared_consequence(corruptible: str, headline: Headline) -> None:
    """Rows that break critical rules on rows are set aside, with what hangs on them, and no others; rules on tables hold back marts."""
    execute(corruptible, headline.statement)
    raw = [HEADLINED[table] for table in sorted(headline.tables) if table in CONTRACT.tables]
    try:
        validations = [validate(corruptible, HEADLINED[table], PROJECT, everything=True) for table in sorted(headline.tables)]
        results = [(each.suite.partition(".")[2], result) for each in validations for result in each.results]
        failed = {(table, result.check_name): result for table, result in results if not result.is_success}
        failing = {
            (table, check): _keys(corruptible, HEADLINED[table], result.failing_query)
            for (table, check), result in failed.items()
            if table in CONTRACT.tables and check in holding.rules_on_rows(HEADLINED[table]) and not result.error
        }
        bring_up_to_date(corruptible, CONTRACT, raw)
        entries: list[tuple[Any, ...]] = fetch(
            corruptible, "select table_name, key::text, checks, hangs_on from quality.quarantine where released_at is null"
        )
        marked = {(table, key) for suite in raw for table, key in _marked(corruptible, suite.table)}
        held = {table for (table,) in fetch(corruptible, "select table_name from quality.held_tables")}
    finally:
        changed = headline.tables | {table for table in CONTRACT.tables if _marked(corruptible, table)}
        execute(corruptible, *(statement for table in changed for statement in _restore(HEADLINED[table])))
    assert {f"{table}__{check}" for table, check in failed} == headline.fails
    assert {
        (table, check): {key for name, key, checks, _ in entries if name == table and check in checks} for table, check in failing
    } == failing
    assert all(bool(checks) != bool(hangs_on) for _, _, checks, hangs_on in entries)
    assert {(table, key) for table, key, *_ in entries if table in {suite.table for suite in raw}} == marked
    assert held == {table for (table, check), result in failed.items() if _holds_back(HEADLINED[table], check) or result.error}


def _holds_back(suite: Suite, check: str) -> bool:
    """Whether a check says that too much of a raw table is wrong."""
    (expectation,) = suite.only({check}).expectations
    return suite.system != PUBLISHED and expectation.severity is Severity.CRITICAL and check not in holding.rules_on_rows(suite)


def _keys(url: str, suite: Suite, query: str) -> set[object]:
    """Keys of the rows that a query finds, as documents."""
    key = ", ".join(f"'{column}', failing.{column}" for column in suite.meta.key)
    return {key for (key,) in fetch(url, f"select jsonb_build_object({key})::text from ({query.removesuffix(';')}) as failing")}


def _marked(url: str, table: str) -> set[tuple[object, object]]:
    key = ", ".join(f"'{column}', raw.{column}" for column in CONTRACT.tables[table].key)
    query = f"select jsonb_build_object({key})::text from {qualified(HEADLINED[table])} as raw where _quarantined_at is not null"
    return {(table, key) for (key,) in fetch(url, query)}
