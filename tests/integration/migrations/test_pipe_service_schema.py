"""The pipe service's schema: what the revisions leave behind, held against the design, and by trying."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy.orm import Session

from dagster_project.resources.databases import engine
from dagster_project.resources.embedded import EmbeddedServer
from migrations.pipe_service.models import Organization, Pipeline, PipelineRun
from migrations.run import downgrade, upgrade
from tests.integration.migrations.catalog import COLUMNS
from tests.integration.migrations.conftest import Database, Scratch

SYSTEM = "pipe_service"
ONE_ROW_EACH = Path(__file__).with_name("pipe_service.sql").read_text(encoding="utf-8")
USER, ORGANIZATION, PIPELINE, RUN = (f"00000000-0000-0000-0000-00000000000{number}" for number in range(1, 5))

# Columns of the design, in its order: name, type, and "!" for NOT NULL; where the design lets a column be null that is NOT NULL here, "+".
DESIGN = {
    "users": """
        id uuid!; email varchar(255)!; name varchar(100)!; password_hash varchar(255)!; status varchar(20)+; created_at timestamptz+;
        updated_at timestamptz+
    """,
    "organizations": """
        id uuid!; name varchar(100)!; plan_type varchar(50); status varchar(20)+; created_at timestamptz+; updated_at timestamptz+
    """,
    "organization_members": """
        organization_id uuid!; user_id uuid!; role varchar(20)!; joined_at timestamptz+
    """,
    "pipelines": """
        id uuid!; organization_id uuid+; name varchar(100)!; description text; config jsonb!; status varchar(20)+; created_by uuid;
        created_at timestamptz+; updated_at timestamptz+
    """,
    "pipeline_runs": """
        id uuid!; pipeline_id uuid+; status varchar(20)!; started_at timestamptz+; completed_at timestamptz; error_message text;
        metrics jsonb; created_by uuid
    """,
    "storage_files": """
        id uuid!; organization_id uuid+; path varchar(500)!; size bigint!; mime_type varchar(100); metadata jsonb; created_by uuid;
        created_at timestamptz+
    """,
    "api_keys": """
        id uuid!; organization_id uuid+; name varchar(100)!; key_hash varchar(255)!; last_used_at timestamptz; created_by uuid;
        created_at timestamptz+; expires_at timestamptz
    """,
}
INDEXES = {
    "idx_pipelines_org": "pipelines USING btree (organization_id)",
    "idx_pipeline_runs_pipeline": "pipeline_runs USING btree (pipeline_id)",
    "idx_pipeline_runs_status": "pipeline_runs USING btree (status)",
    "idx_storage_files_org": "storage_files USING btree (organization_id)",
    "idx_storage_files_path": "storage_files USING btree (path)",
    "idx_api_keys_org": "api_keys USING btree (organization_id)",
}


TABLES = (*DESIGN, "audit_logs")

BAD_VALUES = [
    ("ck_users_status", "update users set status = 'paused'"),
    ("users_email_key", "insert into users (email, name, password_hash) values ('ada@example.org', 'Other', 'x')"),
    ("ck_organizations_status", "update organizations set status = 'Active'"),
    ("ck_organization_members_role", "update organization_members set role = 'viewer'"),
    ("ck_pipelines_status", "update pipelines set status = 'completed'"),
    ("ck_pipeline_runs_status", "update pipeline_runs set status = 'succeeded'"),
    ("ck_audit_logs_operation", "update audit_logs set operation = 'READ'"),
    ("pipeline_runs_2025_03_pkey", "insert into pipeline_runs select * from pipeline_runs"),
    ("pipeline_runs_pipeline_id_fkey", "update pipeline_runs set pipeline_id = gen_random_uuid()"),
    ("pipelines_organization_id_fkey", "update pipelines set organization_id = gen_random_uuid()"),
]

AUDIT = "select table_name, operation, row_key, changed_fields, database_role, user_id::text from audit_logs order by table_name"


@pytest.fixture(scope="module")
def scratch_pipe_service(server: EmbeddedServer, template_database: Callable[[str], str]) -> Iterator[Scratch]:
    """The migrated database behind `filled`."""
    postgres = Database(server.url("postgres"))
    postgres.rows(f"create database scratch_pipe_service template {template_database(SYSTEM)}")
    postgres.close()
    scratch = Scratch(server.url("scratch_pipe_service"))
    yield scratch
    scratch.close()


@pytest.fixture
def filled(scratch_pipe_service: Scratch) -> Iterator[Database]:
    """A migrated database with one row in every table, in one transaction."""
    scratch_pipe_service.rows(ONE_ROW_EACH)
    yield scratch_pipe_service
    scratch_pipe_service.undo()


@pytest.fixture
def audited(filled: Database) -> Database:
    """The same, with nothing in the audit log yet."""
    filled.rows("delete from audit_logs")
    return filled


@pytest.fixture
def own(new_database: Callable[[str], str], connect: Callable[[str], Database]) -> Database:
    """A migrated database of the test's own with one row in every table, for work over several connections."""
    database = connect(new_database(SYSTEM))
    database.rows(ONE_ROW_EACH)
    return database


def columns(design: str) -> list[str]:
    return [column.strip().replace("+", "!") for column in " ".join(design.split()).split(";")]


@pytest.mark.parametrize("table", DESIGN)
def test_table_has_the_columns_of_the_design(filled: Database, table: str) -> None:
    assert [column for (column,) in filled.rows(COLUMNS, table)] == columns(DESIGN[table])


def test_indexes_of_the_design_are_there(filled: Database) -> None:
    indexes = filled.rows("select indexname, indexdef from pg_indexes where schemaname = 'public'")
    definitions = {name: str(definition).replace(" ONLY", "") for name, definition in indexes}
    for name, definition in INDEXES.items():
        assert definitions[name].endswith(f"ON public.{definition}")


def test_runs_are_kept_by_month(filled: Database) -> None:
    assert filled.value("select pg_get_partkeydef('pipeline_runs'::regclass)") == "RANGE (started_at)"
    partitions = {
        str(name) for (name,) in filled.rows("select inhrelid::regclass from pg_inherits where inhparent = 'pipeline_runs'::regclass")
    }
    months = {f"pipeline_runs_{year}_{month:02}" for year in (2025, 2026) for month in range(1, 13)}
    assert partitions == {*months, "pipeline_runs_default"}
    assert filled.value("select count(*) from pg_class where relnamespace = 'archive'::regnamespace") == 0
    found = (
        "insert into pipeline_runs (pipeline_id, status, started_at) select pipeline_id, status, %s::timestamptz from pipeline_runs limit 1"
        " returning tableoid::regclass::text"
    )
    # Months begin in UTC, whatever the session says.
    filled.rows("set local time zone 'Asia/Tokyo'")
    for moment, partition in [
        ("2025-01-01 00:00:00+00", "2025_01"),
        ("2024-12-31 23:59:59.999999+00", "default"),
        ("2026-11-30 23:59:59.999999+00", "2026_11"),
        ("2026-12-31 23:59:59.999999+00", "2026_12"),
        ("2027-01-01 00:00:00+00", "default"),
    ]:
        assert filled.value(found, moment) == f"pipeline_runs_{partition}"


@pytest.mark.parametrize(("constraint", "statement"), BAD_VALUES)
def test_bad_value_is_rejected(filled: Database, constraint: str, statement: str) -> None:
    with pytest.raises(psycopg2.IntegrityError) as raised:
        filled.rows(statement)
    assert raised.value.diag.constraint_name == constraint


def test_every_check_has_a_bad_value(filled: Database) -> None:
    checks = filled.rows("select distinct conname from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace")
    assert {name for (name,) in checks} <= {constraint for constraint, _ in BAD_VALUES}


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("users", "status", ["active", "inactive", "suspended", "deleted"]),
        ("organizations", "status", ["active", "inactive", "suspended", "deleted"]),
        ("pipelines", "status", ["active", "inactive", "suspended", "deleted"]),
        ("pipeline_runs", "status", ["queued", "running", "completed", "failed", "cancelled"]),
        ("organization_members", "role", ["owner", "admin", "member", "readonly"]),
    ],
)
def test_values_of_the_design_are_accepted(filled: Database, table: str, column: str, values: list[str]) -> None:
    for value in values:
        assert filled.value(f"update {table} set {column} = %s returning {column}", value) == value


@pytest.mark.parametrize("table", ["users", "organizations", "pipelines"])
def test_updated_at_follows_changes_alone(filled: Database, table: str) -> None:
    long_ago = "2001-02-03 00:00:00+00"
    filled.rows(f"update {table} set updated_at = %s", long_ago)
    kept = f"select updated_at = '{long_ago}' from {table}"
    assert filled.value(kept) is True
    filled.rows(f"update {table} set name = name")
    assert filled.value(kept) is True
    filled.rows(f"update {table} set name = 'other'")
    assert filled.value(f"select updated_at = now() from {table}") is True


@pytest.mark.parametrize("change", ["started_at = '2025-04-01'", "started_at = started_at + interval '1 second'", "id = gen_random_uuid()"])
def test_the_key_of_a_run_does_not_change(filled: Database, change: str) -> None:
    with pytest.raises(psycopg2.errors.IntegrityConstraintViolation, match=r"the key of a row of pipeline_runs.* does not change"):
        filled.rows(f"update pipeline_runs set {change}")
    filled.rows("update pipeline_runs set id = id, started_at = started_at, status = 'running'")


def test_every_insert_is_recorded_with_its_key(filled: Database) -> None:
    key = {"organization_id": ORGANIZATION, "user_id": USER}
    assert filled.rows(AUDIT) == [
        ("api_keys", "INSERT", {"id": "00000000-0000-0000-0000-000000000006"}, None, "postgres", None),
        ("organization_members", "INSERT", key, None, "postgres", None),
        ("organizations", "INSERT", {"id": ORGANIZATION}, None, "postgres", None),
        ("pipelines", "INSERT", {"id": PIPELINE}, None, "postgres", None),
        ("storage_files", "INSERT", {"id": "00000000-0000-0000-0000-000000000005"}, None, "postgres", None),
        ("users", "INSERT", {"id": USER}, None, "postgres", None),
    ]


def test_an_update_is_recorded_with_the_names_of_fields_and_no_value(audited: Database) -> None:
    audited.rows("set local pipe_service.user_id = %s", USER)
    audited.rows("update users set password_hash = 'another-hash', status = 'suspended'")
    assert audited.rows(AUDIT) == [("users", "UPDATE", {"id": USER}, ["password_hash", "status"], "postgres", USER)]
    assert "hash-of" not in str(audited.rows("select to_jsonb(audit_logs)::text from audit_logs"))
    assert "another-hash" not in str(audited.rows("select to_jsonb(audit_logs)::text from audit_logs"))


def test_deletes_and_truncation_are_recorded(audited: Database) -> None:
    audited.rows("delete from organization_members")
    audited.rows("truncate api_keys")
    key = {"organization_id": ORGANIZATION, "user_id": USER}
    assert audited.rows(AUDIT) == [
        ("api_keys", "TRUNCATE", None, None, "postgres", None),
        ("organization_members", "DELETE", key, None, "postgres", None),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "update users set name = name",
        "update users set updated_at = '2001-01-01'",
        "update api_keys set last_used_at = now()",
        "update pipeline_runs set status = 'running'",
        "delete from pipeline_runs",
    ],
)
def test_what_is_no_important_operation_is_not_recorded(audited: Database, statement: str) -> None:
    audited.rows(statement)
    assert audited.rows(AUDIT) == []


def test_the_application_works_with_its_rights_and_is_recorded(audited: Database) -> None:
    role = "pipe_service_app"
    audited.rows("update users set name = 'Ada L.'", role=role)
    audited.rows("update pipeline_runs set status = 'running'", role=role)
    audited.rows("update api_keys set last_used_at = now()", role=role)
    audited.rows("delete from api_keys", role=role)
    assert [row[:2] for row in audited.rows(AUDIT)] == [("api_keys", "DELETE"), ("users", "UPDATE")]


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("pipe_service_app", "delete from users"),
        ("pipe_service_app", "delete from pipeline_runs"),
        ("pipe_service_app", "truncate api_keys"),
        ("pipe_service_app", "update api_keys set key_hash = 'mine'"),
        ("pipe_service_app", "select * from audit_logs"),
        ("pipe_service_app", "insert into audit_logs (table_name, operation, database_role) values ('users', 'DELETE', 'nobody')"),
        ("pipe_service_app", "create table mine (id integer)"),
        ("pipe_service_app", "create table archive.mine (id integer)"),
        ("pipe_service_readonly", "select password_hash from users"),
        ("pipe_service_readonly", "select key_hash from api_keys"),
        ("pipe_service_readonly", "update organizations set name = 'mine'"),
        ("pipe_service_sync", "delete from audit_logs"),
        ("pipe_service_sync", "update users set name = 'mine'"),
    ],
)
def test_what_a_role_may_not_do(filled: Database, role: str, statement: str) -> None:
    # PostgreSQL 14 lets everybody create tables in public; 15 and later do not.
    filled.rows("revoke create on schema public from public")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        filled.rows(statement, role=role)


def test_readers_read_what_they_may(filled: Database) -> None:
    assert filled.rows("select name, email from users", role="pipe_service_readonly") == [("Ada", "ada@example.org")]
    assert filled.rows("select name, expires_at from api_keys", role="pipe_service_readonly") == [("ci", None)]
    for table in TABLES:
        filled.rows(f"lock table {table} in access share mode", role="pipe_service_sync")
        filled.rows(f"select * from {table}", role="pipe_service_admin")


def test_roles_are_dropped_with_the_last_database_that_uses_them(old_server: EmbeddedServer, connect: Callable[[str], Database]) -> None:
    """On the older server, where no template of the tests uses them."""
    for name in ("roles_one", "roles_two"):
        old_server.ensure_database(name)
        upgrade(SYSTEM, old_server.url(name))
    database = connect(old_server.url("roles_two"))
    roles = "select string_agg(substr(rolname, 14), ' ' order by rolname) from pg_roles where rolname ~ '^pipe_service_'"
    downgrade(SYSTEM, old_server.url("roles_one"), "base")
    assert database.value(roles) == "admin app readonly sync"
    database.rows("create role test_person")
    database.rows("grant pipe_service_app to test_person")
    downgrade(SYSTEM, database.url, "base")
    assert database.value(roles) == "app"
    database.rows("drop role test_person; drop role pipe_service_app")


def test_models_write_what_the_database_keeps(own: Database) -> None:
    connection = engine(own.url)
    with Session(connection) as session:
        pipeline = Pipeline(name="hourly", config={"steps": 2}, runs=[PipelineRun(status="running", metrics={"rows": 3})])
        organization = Organization(name="Modellers", pipelines=[pipeline])
        session.add(organization)
        session.commit()
        before = pipeline.updated_at
        pipeline.status = "suspended"
        session.commit()
        assert pipeline.updated_at > before
        written = own.rows(
            "select o.plan_type, p.config, r.metrics, r.completed_at from organizations o join pipelines p on p.organization_id = o.id"
            " join pipeline_runs r on r.pipeline_id = p.id where o.name = 'Modellers'"
        )
        assert written == [("free", {"steps": 2}, {"rows": 3}, None)]
    connection.dispose()
