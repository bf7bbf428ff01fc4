"""The schema of a tenant's database of the LLM workflow, as the revisions leave it: held against design and models, and by trying."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy.orm import Session

from dagster_project.errors import RunmartError
from dagster_project.resources.databases import engine
from dagster_project.resources.embedded import EmbeddedServer
from migrations.llm_workflow.models import Artifact, AuditLog, Prompt, Run, Step
from migrations.run import downgrade, upgrade
from tests.integration.migrations.catalog import COLUMNS
from tests.integration.migrations.conftest import Database, Scratch

SYSTEM = "llm_workflow"
TENANT = "tenant_of_tests"
APP, READONLY = f"{TENANT}_app", f"{TENANT}_readonly"
ONE_ROW_EACH = Path(__file__).with_name("llm_workflow.sql").read_text(encoding="utf-8")

# Columns of the design, in its order: name, type, and "!" for NOT NULL; where the design lets a column be null that is NOT NULL here, "+".
# Those that are not in the design come last.
DESIGN = {
    "runs": "id uuid!; status text!; current_step text; config jsonb; created_at timestamp+; updated_at timestamp+",
    "steps": """
        id integer!; run_id uuid+; step text!; status text!; llm_model text; token_usage jsonb; error_message text; retry_count integer+;
        started_at timestamp+; completed_at timestamp; prompt_version integer
    """,
    "artifacts": """
        id integer!; run_id uuid+; step text!; file_type text!; file_path text!; digest text+; metadata jsonb; created_at timestamp+;
        size_bytes bigint!
    """,
    "audit_logs": """
        id integer!; user_id text!; action text!; resource_type text!; resource_id text!; details jsonb; created_at timestamp+
    """,
    "prompts": "id integer!; step text!; version integer!; content text!; variables jsonb; is_active boolean+",
}


BAD_VALUES = [
    ("ck_runs_status", "update runs set status = 'skipped'"),
    ("ck_runs_status", "update runs set status = 'Completed'"),
    ("ck_steps_status", "update steps set status = 'succeeded'"),
    ("ck_steps_token_usage", "update steps set token_usage = '12'"),
    ("ck_steps_token_usage", "update steps set token_usage = 'null'"),
    ("ck_steps_retry_count", "update steps set retry_count = -1"),
    ("ck_steps_times", "update steps set completed_at = started_at - interval '1 microsecond'"),
    ("steps_run_id_fkey", "update steps set run_id = gen_random_uuid()"),
    ("steps_run_id_fkey", "delete from artifacts; delete from runs"),
    ("steps_step_prompt_version_fkey", "update steps set prompt_version = 2"),
    ("steps_step_prompt_version_fkey", "update steps set step = 'review'"),
    ("ck_prompts_version", "update prompts set version = 0"),
    ("prompts_step_version_key", "insert into prompts (step, version, content, is_active) select step, version, '', false from prompts"),
    ("uq_prompts_active_version", "insert into prompts (step, version, content) select step, 2, '' from prompts"),
    ("ck_artifacts_digest", "update artifacts set digest = upper(digest)"),
    ("ck_artifacts_digest", "update artifacts set digest = left(digest, 63)"),
    ("ck_artifacts_size_bytes", "update artifacts set size_bytes = -1"),
    ("artifacts_run_id_fkey", "update artifacts set run_id = gen_random_uuid()"),
    (
        "artifacts_file_path_key",
        "insert into artifacts (run_id, step, file_type, file_path, digest, size_bytes)"
        " select run_id, step, file_type, file_path, repeat('0', 64), 0 from artifacts",
    ),
]


@pytest.fixture(scope="module")
def scratch_llm_workflow(server: EmbeddedServer) -> Iterator[Scratch]:
    """The migrated database behind `filled`; its roles are called as it is."""
    server.ensure_database(TENANT)
    url = server.url(TENANT)
    upgrade(SYSTEM, url)
    scratch = Scratch(url)
    yield scratch
    scratch.close()
    downgrade(SYSTEM, url, "base")


@pytest.fixture
def filled(scratch_llm_workflow: Scratch) -> Iterator[Database]:
    """A migrated database with one row in every table, in one transaction."""
    scratch_llm_workflow.rows(ONE_ROW_EACH)
    yield scratch_llm_workflow
    scratch_llm_workflow.undo()


@pytest.fixture
def own(new_database: Callable[[str], str], connect: Callable[[str], Database]) -> Database:
    """A migrated database of the test's own with one row in every table, for work over several connections."""
    url = new_database("empty")
    upgrade(SYSTEM, url)
    database = connect(url)
    database.rows(ONE_ROW_EACH)
    return database


@pytest.mark.parametrize("table", DESIGN)
def test_table_has_the_columns_of_the_design(filled: Database, table: str) -> None:
    expected = [column.strip().replace("+", "!") for column in " ".join(DESIGN[table].split()).split(";")]
    assert [column for (column,) in filled.rows(COLUMNS, table)] == expected


@pytest.mark.parametrize(("constraint", "statement"), BAD_VALUES)
def test_bad_value_is_rejected(filled: Database, constraint: str, statement: str) -> None:
    with pytest.raises(psycopg2.IntegrityError) as raised:
        filled.rows(statement)
    assert raised.value.diag.constraint_name == constraint


def test_every_check_has_a_bad_value(filled: Database) -> None:
    checks = filled.rows("select distinct conname from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace")
    assert {name for (name,) in checks} <= {constraint for constraint, _ in BAD_VALUES}


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("runs", ["pending", "running", "paused", "completed", "failed"]),
        ("steps", ["pending", "running", "paused", "completed", "failed", "skipped"]),
    ],
)
def test_statuses_are_accepted(filled: Database, table: str, values: list[str]) -> None:
    for value in values:
        assert filled.value(f"update {table} set status = %s returning status", value) == value


def test_a_new_version_of_a_prompt_takes_the_place_of_the_active_one(filled: Database) -> None:
    filled.rows("update prompts set is_active = false")
    filled.rows("insert into prompts (step, version, content) values ('outline', 2, 'Write a better outline.')")
    assert filled.rows("select version, is_active from prompts order by version") == [(1, False), (2, True)]


def test_updated_at_follows_changes_alone(filled: Database) -> None:
    filled.rows("set local time zone 'Asia/Tokyo'")
    kept = "select updated_at = '2025-03-01 00:01:00' from runs"
    filled.rows("update runs set status = status")
    assert filled.value(kept) is True
    filled.rows("update runs set status = 'paused', updated_at = '2025-03-02'")
    assert filled.value("select updated_at = '2025-03-02' from runs") is True
    filled.rows("update runs set status = 'running'")
    assert filled.value("select updated_at = now() at time zone 'utc' from runs") is True


def test_times_are_utc(filled: Database) -> None:
    filled.rows("set local time zone 'Asia/Tokyo'")
    filled.rows("insert into runs (id, status) values ('00000000-0000-0000-0000-000000000002', 'pending')")
    filled.rows("insert into steps (run_id, step, status) values ('00000000-0000-0000-0000-000000000002', 'outline', 'pending')")
    filled.rows("insert into audit_logs (user_id, action, resource_type, resource_id) values ('bob', 'prompt.read', 'prompt', '1')")
    for moment in (
        "select created_at from runs where status = 'pending'",
        "select updated_at from runs where status = 'pending'",
        "select started_at from steps where status = 'pending'",
        "select created_at from audit_logs where user_id = 'bob'",
    ):
        assert filled.value(f"select ({moment}) = now() at time zone 'utc'") is True


def test_the_application_works_with_its_rights(filled: Database) -> None:
    filled.rows("update prompts set is_active = false", role=APP)
    filled.rows("insert into prompts (step, version, content) values ('outline', 2, 'Write.')", role=APP)
    filled.rows("insert into audit_logs (user_id, action, resource_type, resource_id) values ('ada', 'run.delete', 'run', '1')", role=APP)
    filled.rows("update runs set status = 'failed'", role=APP)
    filled.rows("delete from artifacts; delete from steps; delete from runs", role=APP)
    assert filled.value("select count(*) from audit_logs") == 2


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (APP, "delete from prompts"),
        (APP, "select * from audit_logs"),
        (APP, "update audit_logs set user_id = 'nobody'"),
        (APP, "delete from audit_logs"),
        (APP, "create table mine (id integer)"),
        (READONLY, "update runs set status = 'failed'"),
        (READONLY, "insert into prompts (step, version, content) values ('outline', 3, 'mine')"),
        (READONLY, "delete from steps"),
    ],
)
def test_what_a_role_may_not_do(filled: Database, role: str, statement: str) -> None:
    # PostgreSQL 14 lets everybody create tables in public; 15 and later do not.
    filled.rows("revoke create on schema public from public")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        filled.rows(statement, role=role)


def test_readers_may_lock_what_they_read(filled: Database) -> None:
    for table in DESIGN:
        filled.rows(f"lock table {table} in access share mode", role=READONLY)
        assert len(filled.rows(f"select * from {table}", role=READONLY)) == 1


def test_roles_of_one_tenant_do_not_enter_the_database_of_another(server: EmbeddedServer, filled: Database) -> None:
    server.ensure_database("tenant_elsewhere")
    url = server.url("tenant_elsewhere")
    upgrade(SYSTEM, url)
    may_enter = "select has_database_privilege(%s, %s, 'CONNECT')"
    roles = (APP, READONLY, "tenant_elsewhere_app", "tenant_elsewhere_readonly")
    entered = {(role, database) for role in roles for database in (TENANT, "tenant_elsewhere") if filled.value(may_enter, role, database)}
    assert entered == {
        (APP, TENANT),
        (READONLY, TENANT),
        ("tenant_elsewhere_app", "tenant_elsewhere"),
        ("tenant_elsewhere_readonly", "tenant_elsewhere"),
    }
    downgrade(SYSTEM, url, "base")
    assert filled.value(may_enter, APP, "tenant_elsewhere") is True
    assert filled.value("select count(*) from pg_roles where rolname ~ '^tenant_elsewhere_'") == 0


@pytest.mark.parametrize("name", ["a" * 55, "of, two"])
def test_a_database_whose_name_no_role_can_have_is_refused(server: EmbeddedServer, connect: Callable[[str], Database], name: str) -> None:
    postgres = connect(server.url("postgres"))
    postgres.rows(f'drop database if exists "{name}"')
    postgres.rows(f'create database "{name}"')
    with pytest.raises(RunmartError, match=f"give '{name}' a name of at most 54 letters"):
        upgrade(SYSTEM, server.url(name))
    postgres.rows(f'drop database "{name}" with (force)')


def test_models_write_what_the_database_keeps(own: Database) -> None:
    connection = engine(own.url)
    with Session(connection) as session:
        run = Run(status="running", current_step="draft", config={"topic": "coffee"})
        session.add_all([run, Prompt(step="draft", version=1, content="Write.", variables=None)])
        session.flush()
        usage = [{"input_tokens": 5, "output_tokens": 1}, {"output_tokens": 7}]
        session.add(Step(run_id=run.id, step="draft", status="running", llm_model="claude-sonnet-4-5", prompt_version=1, token_usage=usage))
        path = f"storage/acme/{run.id}/draft/output.json"
        session.add(Artifact(run_id=run.id, step="draft", file_type="json", file_path=path, digest="0" * 64, size_bytes=3, metadata_=None))
        session.add(AuditLog(user_id="ada", action="run.start", resource_type="run", resource_id=str(run.id)))
        session.commit()
        before = run.updated_at
        run.status = "paused"
        session.commit()
        assert run.updated_at > before
    connection.dispose()
    written = own.rows(
        "select r.config, s.token_usage, s.retry_count, s.completed_at, a.file_path = 'storage/acme/' || r.id || '/draft/output.json',"
        " l.details, p.is_active from runs r join steps s on s.run_id = r.id join artifacts a on a.run_id = r.id join audit_logs l"
        " on l.resource_id = r.id::text join prompts p on p.step = s.step and p.version = s.prompt_version where r.status = 'paused'"
    )
    assert written == [({"topic": "coffee"}, usage, 0, None, True, None, True)]
