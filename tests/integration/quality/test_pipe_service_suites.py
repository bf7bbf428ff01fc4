"""Each check of the pipe service's raw tables sees the fault that it is named after, and a clean warehouse fails none."""

import re
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from dagster_project.contracts.loading import load_contracts
from dagster_project.ingestion.sync import sync
from dagster_project.quality.compiling import failing_query
from dagster_project.quality.rules import rule
from dagster_project.quality.suites import Expectation, Suite, load_suites
from dagster_project.settings import PROJECT_ROOT
from migrations.run import upgrade
from tests.integration.quality.conftest import execute

SYSTEM = "pipe_service"
SUITES = {suite.table: suite for suite in load_suites().values() if suite.system == SYSTEM}
ONE_ROW_EACH = (PROJECT_ROOT / "tests" / "integration" / "migrations" / "pipe_service.sql").read_text(encoding="utf-8")

# What a session of an application does beside the first rows, so that every operation is in the audit log.
_AND_MORE = (
    "update users set name = 'A'; insert into users (email, name, password_hash) values ('b', 'b', 'b'); delete from users where name = 'b'"
)

# What no rule says by itself: assignments to the rows of a table.
_BY_HAND = {
    "users__times_are_not_in_the_future": ["created_at = now() + interval '6 minutes'", "updated_at = now() + interval '6 minutes'"],
    "organizations__times_are_not_in_the_future": ["created_at = now() + interval '6 minutes'", "updated_at = '2999-01-01'"],
    "organization_members__times_are_not_in_the_future": ["joined_at = now() + interval '6 minutes'"],
    "organization_members__organizations_have_an_owner": ["role = 'admin'"],
    "pipelines__times_are_not_in_the_future": ["created_at = now() + interval '6 minutes'", "updated_at = '2999-01-01'"],
    "pipeline_runs__times_are_not_in_the_future": [
        "status = 'running', started_at = now() + interval '6 minutes'",
        "completed_at = now() + interval '6 minutes'",
    ],
    "pipeline_runs__finished_runs_have_an_end": [f"status = '{status}'" for status in ("completed", "failed", "cancelled")],
    "pipeline_runs__unfinished_runs_have_no_end": [f"status = '{status}', completed_at = now()" for status in ("queued", "running")],
    "pipeline_runs__failed_runs_say_why": ["status = 'failed'", "status = 'failed', error_message = ''"],
    "pipeline_runs__metrics_are_an_object": ["metrics = '[1]'", "metrics = 'null'"],
    "storage_files__times_are_not_in_the_future": ["created_at = now() + interval '6 minutes'"],
    "storage_files__mime_type_has_its_shape": ["mime_type = 'csv'", "mime_type = 'text/'", "mime_type = 'Text/CSV'", "mime_type = ''"],
    "storage_files__metadata_is_an_object": ["""metadata = '"text"'"""],
    "api_keys__times_are_not_in_the_future": ["created_at = now() + interval '6 minutes'", "last_used_at = '2999-01-01'"],
    "audit_logs__times_are_not_in_the_future": ["created_at = now() + interval '6 minutes'"],
    "audit_logs__row_key_is_an_object": ["row_key = null", "row_key = '[]'", "operation = 'TRUNCATE'"],
    "audit_logs__changed_fields_are_a_list": ["changed_fields = null", "changed_fields = '{}'", "operation = 'DELETE'"],
}


def corruptions(suite: Suite, expectation: Expectation) -> Iterator[str]:
    """Statements each of which breaks the expectation."""
    relation, check = f"raw_{SYSTEM}.{suite.table}", expectation.meta.check
    for assignments in (*_BY_HAND.get(f"{suite.table}__{check}", []), *_bad_values(expectation)):
        yield f"update {relation} set {assignments}"
    syncs = f"system = '{SYSTEM}' and table_name = '{suite.table}'"
    if "unique" in expectation.type:
        yield f"insert into {relation} select * from {relation}"
    elif check == "columns_are_as_declared":
        yield f"alter table {relation} add column surprise text"
        yield f"alter table {relation} alter column {suite.meta.key[0]} type text"
    elif check == "row_count_equals_source":
        yield f"update {relation} set _deleted_at = now()"
    elif check == "row_count_did_not_collapse":
        yield f"update ops.table_syncs set source_rows = 1000 where {syncs} and batch_id = (select min(batch_id) from ops.table_syncs)"
    elif check.startswith("synced_within_"):
        yield f"update ops.table_syncs set synced_at = now() - interval '{re.sub(r'[^0-9]', '', check)} hours 1 second' where {syncs}"


def _bad_values(expectation: Expectation) -> Iterator[str]:
    kwargs, check = expectation.kwargs, expectation.meta.check
    if expectation.type == "expect_column_values_to_be_in_set":
        yield f"{kwargs['column']} = 'nonsense'"
    elif expectation.type == "expect_column_values_to_be_between":
        yield f"{kwargs['column']} = -1"
    elif expectation.type == "expect_column_pair_values_a_to_be_greater_than_b":
        yield f"{kwargs['column_A']} = '2025-01-01 11:59:59+00', {kwargs['column_B']} = '2025-01-01 12:00:00+00'"
    elif check == "required_values_are_present":
        yield from (f"{column} = null" for column in re.findall(r"(\w+) is null", kwargs["unexpected_rows_query"]))
    elif check.endswith("_has_parent"):
        yield f"{check.removesuffix('_has_parent')} = gen_random_uuid()"


@pytest.fixture(scope="module")
def warehouse(template_database: Callable[[str], str], copy_database: Callable[[str], str]) -> Iterator[Connection]:
    """A connection to a warehouse that equals a small source after its second sync, whose tables take any row; each test rolls back."""
    source_url = copy_database(template_database(SYSTEM))
    execute(source_url, ONE_ROW_EACH, _AND_MORE)
    # Rights on a database are not copied with it: this one is migrated itself.
    warehouse_url = copy_database(template_database("empty"))
    upgrade("warehouse", warehouse_url)
    for _ in range(2):
        sync(load_contracts()[SYSTEM], source_url, warehouse_url)
    for table in SUITES:
        relation, kept = f"raw_{SYSTEM}.{table}", f"public.kept_{table}"
        execute(
            warehouse_url,
            f"create table {kept} as table {relation}; drop table {relation} cascade; alter table {kept} rename to {table}",
            f"alter table public.{table} set schema raw_{SYSTEM}",
        )
    connection = psycopg2.connect(warehouse_url)
    yield connection
    connection.close()


CASES = [
    pytest.param(suite, expectation, statement, id=f"{suite.table}__{expectation.meta.check}: {statement}")
    for suite in SUITES.values()
    for expectation in suite.expectations
    for statement in corruptions(suite, expectation)
]


@pytest.mark.parametrize(("suite", "expectation", "statement"), CASES)
def test_a_check_finds_its_fault_and_none_before(warehouse: Connection, suite: Suite, expectation: Expectation, statement: str) -> None:
    compiled = rule(suite, expectation)
    assert compiled
    query = failing_query(compiled, suite.rows_query)
    with warehouse.cursor() as cursor:
        cursor.execute(query)
        assert cursor.fetchall() == []
        cursor.execute(statement)
        cursor.execute(query)
        assert cursor.fetchall() != []
    warehouse.rollback()


def test_every_check_has_a_fault() -> None:
    without = [
        f"{suite.table}__{expectation.meta.check}"
        for suite in SUITES.values()
        for expectation in suite.expectations
        if not [*corruptions(suite, expectation)]
    ]
    assert without == []
