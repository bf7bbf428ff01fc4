"""Each check on what has landed of coding_client sees the fault that it is named after, and clean tables fail none."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from dagster_project.ingestion.sync import sync
from dagster_project.quality.compiling import failing_query
from dagster_project.quality.rules import rule
from dagster_project.quality.suites import Expectation, load_suites
from dagster_project.quality.validation import validate
from migrations.run import upgrade
from tests.integration.quality.conftest import PROJECT, execute

CONTRACT = PROJECT.contracts["coding_client"]
SUITES = {suite.table: suite for suite in load_suites().values() if suite.system == CONTRACT.system}
ONE_ROW_EACH = (Path(__file__).parents[1] / "migrations" / "coding_client.sql").read_text(encoding="utf-8")

# What a row says when it breaks the check, for expectations that are SQL of their own; where a table matters, its name stands ahead.
BROKEN = {
    "username_has_its_shape": ["username = 'ad'", "username = 'ada lovelace'"],
    "resource_quota_is_readable": ["resource_quota = '[]'", """resource_quota = resource_quota || '{"max_sessions": "many"}'"""],
    "tech_stack_is_a_list": ["tech_stack = '{}'"],
    "collaborators_are_a_list": ["collaborators = '{}'"],
    "statistics_are_true": ["total_sessions = 2", "total_worktrees = 0"],
    "commit_hash_is_a_digest": ["commit_hash = 'abc'", "commit_hash = repeat('A', 40)"],
    "content_hash_is_a_digest": ["content_hash = repeat('a', 41)", "content_hash = repeat('g', 64)"],
    "paths_are_different": ["worktree_path = repository_path"],
    "a_worktree_is_synchronised_with_another": ["target_worktree_id = source_worktree_id"],
    "worktree_sync_history.failures_say_why": ["status = 'failed'"],
    "file_operations.failures_say_why": ["success = false"],
    "resource_limits_are_an_object": ["resource_limits = '[]'"],
    "allowed_users_are_a_list": ["allowed_users = '{}'"],
    "participants_are_within_the_limit": ["current_participants = 6"],
    "retries_are_within_the_limit": ["retry_count = 4"],
    "sent_notifications_have_a_time": ["status = 'sent'"],
    "unsent_notifications_have_no_time": ["sent_at = now()"],
}
# An hour before, with three rows: what a check of growth compares with.
EARLIER_SYNC = """
    insert into ops.batches overriding system value
    select 0, system, run_id, capture, snapshot, started_at, committed_at from ops.batches limit 1;
    insert into ops.table_syncs
    select 0, system, table_name, synced_at - interval '1 hour', 3, rows_read, rows_inserted, rows_updated, rows_deleted, seconds, found_by,
        bytes_read
    from ops.table_syncs where table_name = '{table}'
"""
SYNCS = "update ops.table_syncs set {change} where table_name = '{table}'"


def assignments(table: str, expectation: Expectation) -> Iterator[str]:
    """What a row says when it breaks the check."""
    kwargs, check = expectation.kwargs, expectation.meta.check
    yield from BROKEN.get(check, BROKEN.get(f"{table}.{check}", ()))
    if expectation.type == "expect_column_values_to_be_in_set":
        yield f"{kwargs['column']} = 'nonsense'"
    elif expectation.type == "expect_column_values_to_be_between":
        limits = [kwargs[limit] + step for limit, step in (("min_value", -1), ("max_value", 1)) if limit in kwargs]
        yield from (f"{kwargs['column']} = {value}" for value in limits)
    elif expectation.type == "expect_column_pair_values_a_to_be_greater_than_b":
        yield f"{kwargs['column_A']} = '2025-01-01 11:59:59Z', {kwargs['column_B']} = '2025-01-01 12:00:00Z'"
    elif check.endswith("_has_parent"):
        column = check.removesuffix("_has_parent")
        yield f"{column} = '999999'"
    elif check in ("required_values_are_present", "defaults_are_present"):
        yield from (f"{column} = null" for column in re.findall(r"(\w+) is null", kwargs["unexpected_rows_query"]))
    elif check == "times_are_not_in_the_future":
        columns = re.findall(r"(\w+) > _synced_at", kwargs["unexpected_rows_query"])
        yield from (f"{column} = _synced_at + interval '6 minutes'" for column in columns)


def statements(table: str, expectation: Expectation) -> Iterator[str]:
    """Changes that the check must see."""
    check = expectation.meta.check
    yield from (f"update {CONTRACT.raw_schema}.{table} set {change}" for change in assignments(table, expectation))
    if "unique" in expectation.type:
        yield f"insert into {CONTRACT.raw_schema}.{table} select * from {CONTRACT.raw_schema}.{table}"
    elif check == "columns_are_as_declared":
        yield f"alter table {CONTRACT.raw_schema}.{table} add column surprise text"
    elif check == "row_count_equals_source":
        yield SYNCS.format(change="source_rows = source_rows + 1", table=table)
    elif check == "row_count_did_not_collapse":
        yield EARLIER_SYNC.format(table=table)
    elif check.startswith("synced_within_"):
        hours = int(re.sub(r"\D", "", check))
        yield SYNCS.format(change=f"synced_at = now() - interval '{hours} hours 1 second'", table=table)


CASES = [
    pytest.param(table, expectation.meta.check, statement, id=f"{table}: {expectation.meta.check}: {number}")
    for table, suite in SUITES.items()
    for expectation in suite.expectations
    for number, statement in enumerate(statements(table, expectation))
]


@pytest.fixture(scope="module")
def landed(template_database: Callable[[str], str], copy_database: Callable[[str], str]) -> str:
    """A warehouse with one row of every table."""
    source = copy_database(template_database("coding_client"))
    execute(source, ONE_ROW_EACH)
    warehouse = copy_database(template_database("empty"))
    upgrade("warehouse", warehouse)
    sync(CONTRACT, source, warehouse)
    return warehouse


@pytest.fixture(scope="module")
def uncommitted(landed: str, copy_database: Callable[[str], str]) -> Iterator[Connection]:
    """A connection to a copy whose tables take any row; each test rolls back."""
    url = copy_database(landed.partition("?")[0].rpartition("/")[2])
    for table in SUITES:
        name = f"{CONTRACT.raw_schema}.{table}"
        execute(url, f"create table saved as table {name}", f"drop table {name}", f"create table {name} as table saved", "drop table saved")
    connection = psycopg2.connect(url)
    yield connection
    connection.close()


@pytest.mark.parametrize("table", SUITES)
def test_clean_tables_fail_no_check(landed: str, table: str) -> None:
    validation = validate(landed, SUITES[table], PROJECT)
    assert [result for result in validation.results if not result.is_success] == []


def test_every_expectation_has_a_case() -> None:
    expected = {(table, expectation.meta.check) for table, suite in SUITES.items() for expectation in suite.expectations}
    assert expected == {case.values[:2] for case in CASES}


@pytest.mark.parametrize(("table", "check", "statement"), CASES)
def test_a_check_sees_its_fault(uncommitted: Connection, table: str, check: str, statement: str) -> None:
    suite = SUITES[table]
    (expectation,) = suite.only({check}).expectations
    compiled = rule(suite, expectation)
    assert compiled
    with uncommitted.cursor() as cursor:
        cursor.execute(failing_query(compiled, suite.rows_query))
        assert cursor.fetchall() == []
        cursor.execute(statement)
        cursor.execute(failing_query(compiled, suite.rows_query))
        assert cursor.fetchall() != []
    uncommitted.rollback()
