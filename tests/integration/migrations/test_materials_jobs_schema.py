"""The materials job schema: what the revisions leave behind, held against the design; triggers and keys by trying."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from alembic import command
from alembic.util import CommandError
from psycopg2 import errors
from sqlalchemy.orm import Session

from dagster_project.resources.databases import engine
from dagster_project.resources.embedded import EmbeddedServer
from migrations.materials_jobs.models import Job, JobRun, Project, User, VaspResult
from migrations.run import config, downgrade
from tests.integration.migrations.catalog import COLUMNS
from tests.integration.migrations.conftest import Database, Scratch

SYSTEM = "materials_jobs"
ONE_ROW_EACH = Path(__file__).with_name("materials_jobs.sql").read_text(encoding="utf-8")
SCHEMAS = "'app', 'analytics', 'audit', 'archive'"

# Columns of the design, in its order: name, type, and "!" for NOT NULL. Those of the tables that refer to a run have its second key beside
# the first, which the design did not need.
DESIGN = {
    "app.users": """
        id bigint!; username text!; email text!; display_name text; is_active boolean!; created_at timestamptz!; updated_at timestamptz!
    """,
    "app.projects": """
        id bigint!; owner_id bigint!; name text!; description text; is_public boolean!; created_at timestamptz!; updated_at timestamptz!
    """,
    "app.jobs": """
        id bigint!; project_id bigint!; created_by bigint; name text; description text; type text!; parameters jsonb; status text!;
        created_at timestamptz!; updated_at timestamptz!
    """,
    "app.job_runs": """
        id bigint!; job_id bigint!; run_number integer!; status text!; started_at timestamptz; finished_at timestamptz; exit_code integer;
        metadata jsonb; created_at timestamptz!
    """,
    "app.files": """
        id bigint!; project_id bigint; job_run_id bigint; job_run_created_at timestamptz; name text!; mime_type text; storage_path text!;
        size_bytes bigint; created_by bigint; created_at timestamptz!
    """,
    "app.materials": """
        id bigint!; external_id text; name text; composition jsonb; properties jsonb; created_at timestamptz!
    """,
    "app.vasp_results": """
        id bigint!; job_run_id bigint; job_run_created_at timestamptz; result_path text; summary jsonb; created_at timestamptz!
    """,
    "audit.logs": """
        id bigint!; who bigint; action text!; object_type text; object_id text; payload jsonb; created_at timestamptz!
    """,
}


BAD_VALUES = [
    ("ck_jobs_status", "update app.jobs set status = 'queued'"),
    ("ck_job_runs_status", "update app.job_runs set status = 'completed'"),
    ("ck_job_runs_run_number", "update app.job_runs set run_number = 0"),
    ("ck_job_runs_times", "update app.job_runs set finished_at = started_at - interval '1 microsecond'"),
    ("ck_files_size_bytes", "update app.files set size_bytes = -1"),
    ("ck_files_job_run", "update app.files set job_run_id = null"),
    ("ck_vasp_results_job_run", "update app.vasp_results set job_run_created_at = null"),
    ("users_username_key", "insert into app.users (username, email) values ('ada', 'other@example.org')"),
    ("users_email_key", "insert into app.users (username, email) values ('bob', 'ada@example.org')"),
    ("projects_owner_id_name_key", "insert into app.projects (owner_id, name) values (1, 'noble metals')"),
    ("projects_owner_id_fkey", "update app.projects set owner_id = 2"),
    ("jobs_project_id_fkey", "update app.jobs set project_id = 2"),
    ("jobs_created_by_fkey", "update app.jobs set created_by = 2"),
    ("job_runs_job_id_fkey", "update app.job_runs set job_id = 2"),
    ("files_project_id_fkey", "update app.files set project_id = 2"),
    ("files_created_by_fkey", "update app.files set created_by = 2"),
    ("files_job_run_id_job_run_created_at_fkey", "update app.files set job_run_created_at = job_run_created_at + interval '1 microsecond'"),
    ("vasp_results_job_run_id_job_run_created_at_fkey", "update app.vasp_results set job_run_id = 2"),
    ("logs_who_fkey", "update audit.logs set who = 2"),
    ("materials_external_id_key", "insert into app.materials (external_id) values ('mp-30')"),
    ("uq_job_runs_job_id_run_number", "insert into app.job_runs (job_id) values (1)"),
    (
        "uq_job_runs_job_id_run_number",
        "insert into app.job_runs (job_id, run_number, created_at) values (1, 2, now()), (1, 2, '2025-01-01Z')",
    ),
    (
        "job_runs_2026_01_job_id_run_number_created_at_idx",
        "insert into app.job_runs (job_id, created_at) values (1, '2026-01-01Z'), (1, '2026-01-01Z')",
    ),
    (
        "uq_job_runs_job_id_run_number",
        "insert into app.job_runs (job_id, run_number) values (1, 2); update app.job_runs set run_number = 1",
    ),
]


@pytest.fixture(scope="module")
def migrated(server: EmbeddedServer, template_database: Callable[[str], str]) -> Iterator[Scratch]:
    """The migrated database behind `jobs`."""
    postgres = Database(server.url("postgres"))
    postgres.rows(f"create database materials_jobs_scratch template {template_database(SYSTEM)}")
    scratch = Scratch(server.url("materials_jobs_scratch"))
    yield scratch
    scratch.close()
    postgres.rows("drop database materials_jobs_scratch")
    postgres.close()


@pytest.fixture
def jobs(migrated: Scratch) -> Iterator[Database]:
    """A migrated database with one row in every table, in one transaction."""
    for (sequence,) in migrated.rows("select oid::regclass::text from pg_class where relkind = 'S' and relnamespace >= 16384"):
        migrated.rows(f"alter sequence {sequence} restart")
    migrated.rows(ONE_ROW_EACH)
    yield migrated
    migrated.undo()


@pytest.fixture
def own_jobs(new_database: Callable[[str], str], connect: Callable[[str], Database]) -> Iterator[Database]:
    """A migrated database of the test's own with one row in every table, for work over several connections."""
    database = Database(new_database(SYSTEM))
    database.rows(ONE_ROW_EACH)
    yield database
    database.close()


@pytest.mark.parametrize("table", DESIGN)
def test_table_has_the_columns_of_the_design(jobs: Database, table: str) -> None:
    columns = [str(column) for (column,) in jobs.rows(COLUMNS, table)]
    assert columns == [column.strip() for column in " ".join(DESIGN[table].split()).split(";")]
    assert jobs.value(f"select count(*) > 0 from {table}") is True


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ("alter table app.job_runs add column mood text", "mood"),
        ("alter table app.files drop constraint files_job_run_id_job_run_created_at_fkey", "job_run_created_at"),
        ("drop index audit.logs_who_idx", "logs_who_idx"),
    ],
)
def test_alembic_check_reports_a_change_by_hand(own_jobs: Database, change: str, reported: str) -> None:
    own_jobs.rows(change)
    with pytest.raises(CommandError, match=rf"New upgrade operations detected.*{reported}"):
        command.check(config(SYSTEM, own_jobs.url))


def test_roles_stay_while_another_database_uses_them(
    own_jobs: Database, server: EmbeddedServer, new_database: Callable[[str], str]
) -> None:
    other = new_database(SYSTEM)
    downgrade(SYSTEM, own_jobs.url, "base")
    roles = own_jobs.rows("select rolname from pg_roles where rolname like 'materials_jobs%'")
    assert {role for (role,) in roles} == {"materials_jobs_admin", "materials_jobs_reader", "materials_jobs_writer"}
    with psycopg2.connect(other) as connection, connection.cursor() as cursor:
        cursor.execute("set role materials_jobs_reader; select count(*) from app.users")
    connection.close()


@pytest.mark.parametrize(("constraint", "statement"), BAD_VALUES)
def test_bad_value_is_rejected(jobs: Database, constraint: str, statement: str) -> None:
    with pytest.raises(psycopg2.IntegrityError) as raised:
        jobs.rows(statement)
    assert raised.value.diag.constraint_name == constraint


def test_every_constraint_has_a_bad_value(jobs: Database) -> None:
    named = jobs.rows(
        "select distinct conname from pg_constraint where contype in ('c', 'f', 'u') and conparentid = 0"
        f" and conrelid <> 0 and connamespace in (select oid from pg_namespace where nspname in ({SCHEMAS}))"
        " and conrelid not in (select oid from pg_class where relispartition)"
    )
    assert {name for (name,) in named} <= {constraint for constraint, _ in BAD_VALUES}


def test_two_years_of_months_are_there_and_every_other_time_has_a_place(jobs: Database) -> None:
    jobs.rows("set local timezone = 'Asia/Tokyo'")
    jobs.rows(
        "insert into app.job_runs (job_id, run_number, created_at) select 1, 1 + row_number() over (), moment + shift"
        " from generate_series(timestamptz '2025-01-01Z', timestamptz '2027-01-01Z', interval '1 month') as moment,"
        " (values (interval '0'), (interval '-1 microsecond')) as around (shift)"
    )
    found = jobs.rows(
        "select distinct tableoid::regclass::text, to_char(created_at at time zone 'UTC', 'YYYY_MM') from app.job_runs order by 2"
    )
    months = [f"{year}_{month:02d}" for year in (2025, 2026) for month in range(1, 13)]
    expected = [(f"app.job_runs_{month}", month) for month in months]
    assert found == [("app.job_runs_default", "2024_12"), *expected, ("app.job_runs_default", "2027_01")]


def test_a_deleted_run_takes_its_results_along_and_leaves_its_files(jobs: Database) -> None:
    jobs.rows("delete from app.job_runs")
    assert jobs.rows("select job_run_id, job_run_created_at, storage_path from app.files") == [(None, None, "energies.parquet")]
    assert jobs.rows("select * from app.vasp_results") == []


def test_a_deleted_project_takes_its_jobs_along_and_leaves_its_files(own_jobs: Database) -> None:
    own_jobs.rows("delete from app.projects", role="materials_jobs_admin")
    assert own_jobs.rows("select * from app.jobs") == own_jobs.rows("select * from app.job_runs") == []
    assert own_jobs.rows("select project_id, job_run_id from app.files") == [(None, None)]
    lost = own_jobs.rows("select object_type from audit.logs where action = 'delete'")
    assert {kind for (kind,) in lost} == {"project", "job", "job_run", "vasp_result"}


def test_a_user_with_projects_cannot_be_deleted_by_accident(jobs: Database) -> None:
    with pytest.raises(psycopg2.IntegrityError):
        jobs.rows("delete from app.users")
    jobs.rows("delete from app.files; delete from app.projects; delete from app.users")
    assert jobs.value("select count(*) from app.users") == 0


@pytest.mark.parametrize("change", ["created_at = '2025-04-01Z'", "id = 7"])
def test_the_key_of_a_run_cannot_be_changed(jobs: Database, change: str) -> None:
    with pytest.raises(errors.RestrictViolation, match="are its key and cannot be changed"):
        jobs.rows(f"update app.job_runs set {change}")
    jobs.rows("update app.job_runs set exit_code = 0, created_at = created_at, id = id")
    assert jobs.value("select count(*) from app.vasp_results") == 1


def test_updated_at_moves_with_every_change_and_no_other(jobs: Database) -> None:
    for table in ("users", "projects", "jobs"):
        jobs.rows(f"update app.{table} set updated_at = '2025-01-01Z'")
        jobs.rows(f"update app.{table} set created_at = created_at")
        assert jobs.value(f"select updated_at = '2025-01-01Z' from app.{table}") is True
        jobs.rows(f"update app.{table} set created_at = created_at - interval '1 day'")
        assert jobs.value(f"select updated_at = now() from app.{table}") is True


def test_a_job_has_the_status_of_its_newest_run(jobs: Database) -> None:
    def status() -> object:
        return jobs.value("select status from app.jobs where id = 1")

    assert status() == "running"
    jobs.rows("update app.job_runs set status = 'failed'")
    assert status() == "failed"
    jobs.rows("insert into app.job_runs (job_id, run_number) values (1, 2)")
    assert status() == "pending"
    jobs.rows("update app.job_runs set status = 'success' where run_number = 2")
    assert status() == "success"
    jobs.rows("update app.job_runs set run_number = 3 where run_number = 1")
    assert status() == "failed"
    jobs.rows("insert into app.jobs (project_id, type) values (1, 'vasp'); update app.job_runs set job_id = 2 where run_number = 3")
    assert jobs.rows("select id, status from app.jobs order by id") == [(1, "success"), (2, "failed")]
    jobs.rows("delete from app.job_runs")
    assert jobs.rows("select distinct status from app.jobs") == [("pending",)]


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_two_sessions_cannot_give_a_job_the_same_attempt(own_jobs: Database, connect: Callable[[str], Database], isolation: str) -> None:
    first, second = connect(own_jobs.url), connect(own_jobs.url)
    raised: list[BaseException] = []

    def insert() -> None:
        try:
            second.rows("insert into app.job_runs (job_id, run_number, created_at) values (1, 2, '2025-05-01Z'); commit")
        except psycopg2.Error as error:
            raised.append(error)

    second.rows(f"begin isolation level {isolation}")
    second.rows("select count(*) from app.job_runs")
    first.rows("begin")
    first.rows("insert into app.job_runs (job_id, run_number) values (1, 2)")
    late = threading.Thread(target=insert)
    late.start()
    first.rows("commit")
    late.join()
    (error,) = raised
    assert isinstance(error, errors.UniqueViolation if isolation == "read committed" else errors.SerializationFailure)
    assert own_jobs.value("select count(*) from app.job_runs where run_number = 2") == 1


def test_important_operations_are_logged_with_who_did_them(jobs: Database) -> None:
    newest = "select who, action, object_type, object_id, payload from audit.logs order by id desc limit 1"
    assert jobs.rows("select action, object_type, object_id from audit.logs order by id") == [
        ("insert", kind, "1") for kind in ("user", "project", "material", "job")
    ]
    jobs.rows("set local materials_jobs.user_id = '1'")
    jobs.rows("update app.projects set is_public = true, description = 'all of them'")
    ((who, action, kind, key, payload),) = jobs.rows(newest)
    changed = {"is_public": {"old": False, "new": True}, "description": {"old": None, "new": "all of them"}}
    assert (who, action, kind, key, payload) == (1, "update", "project", "1", {"role": "postgres", "changed": changed})
    jobs.rows("set local materials_jobs.user_id = '99'")
    jobs.rows("delete from app.vasp_results")
    ((who, action, kind, key, payload),) = jobs.rows(newest)
    assert (who, action, kind, key) == (None, "delete", "vasp_result", "1")
    assert isinstance(payload, dict)
    assert payload["row"]["summary"] == {"energy_ev": -0.006}
    jobs.rows("truncate app.files")
    assert jobs.rows(newest) == [(None, "truncate", "file", None, {"role": "postgres"})]


def test_a_user_is_known_by_the_role_that_logged_in(jobs: Database) -> None:
    jobs.rows("update app.users set username = session_user; delete from app.job_runs")
    assert jobs.value("select who from audit.logs where object_type = 'job_run'") == 1


def test_a_status_that_follows_from_runs_is_no_operation_of_its_own(jobs: Database) -> None:
    before = jobs.value("select count(*) from audit.logs")
    jobs.rows("update app.job_runs set status = 'success'")
    jobs.rows("update app.projects set name = name")
    assert jobs.value("select status from app.jobs") == "success"
    assert jobs.value("select count(*) from audit.logs") == before


ALLOWED = [
    ("reader", "select * from app.job_runs, audit.logs"),
    ("writer", "insert into app.jobs (project_id, type) values (1, 'vasp')"),
    ("writer", "insert into app.job_runs (job_id, run_number) values (1, 2)"),
    ("writer", "update app.job_runs set status = 'failed'"),
    ("admin", "delete from app.vasp_results"),
]
REFUSED = [
    ("reader", "update app.job_runs set status = 'failed'"),
    ("writer", "update app.jobs set status = 'success'"),
    ("writer", "insert into app.jobs (project_id, type, status) values (1, 'vasp', 'success')"),
    ("writer", "delete from app.job_runs"),
    ("writer", "select * from audit.logs"),
    ("writer", "insert into audit.logs (action) values ('forged')"),
    ("writer", "truncate app.files"),
]


@pytest.mark.parametrize(("role", "statement"), ALLOWED)
def test_a_role_may(jobs: Database, role: str, statement: str) -> None:
    jobs.rows(statement, role=f"materials_jobs_{role}")


@pytest.mark.parametrize(("role", "statement"), REFUSED)
def test_a_role_may_not(jobs: Database, role: str, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        jobs.rows(statement, role=f"materials_jobs_{role}")


def test_models_write_and_delete_what_the_database_keeps(own_jobs: Database) -> None:
    connection = engine(own_jobs.url)
    with Session(connection) as session:
        run = JobRun(status="success", vasp_results=[VaspResult(summary={"energy_ev": 1.5})])
        job = Job(type="emt", runs=[run])
        project = Project(name="orm", owner=User(username="eve", email="eve@example.org"), jobs=[job])
        session.add(project)
        session.commit()
        assert (job.status, run.run_number) == ("success", 1)
        written = "select job_run_created_at, summary from app.vasp_results join app.job_runs as r on r.id = job_run_id where r.job_id = %s"
        assert own_jobs.rows(written, job.id) == [(run.created_at, {"energy_ev": 1.5})]
        session.delete(project)
        session.commit()
    connection.dispose()
    assert own_jobs.rows("select name from app.projects") == [("noble metals",)]
    assert own_jobs.value("select count(*) from app.vasp_results") == 1
