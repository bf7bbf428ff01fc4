"""The schema of the LLM workflow's control database, as the revisions leave it: held against the design, the models, and by trying."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy.orm import Session

from dagster_project.resources.databases import engine
from dagster_project.resources.embedded import EmbeddedServer
from migrations.llm_control.models import LlmModel, LlmProvider, StepLlmDefault, Tenant
from migrations.run import downgrade, upgrade
from tests.integration.migrations.catalog import COLUMNS
from tests.integration.migrations.conftest import Database, Scratch

SYSTEM = "llm_control"
ONE_ROW_EACH = Path(__file__).with_name("llm_control.sql").read_text(encoding="utf-8")

# Columns of the design, in its order: name, type, and "!" for NOT NULL; where the design lets a column be null that is NOT NULL here, "+".
DESIGN = {
    "tenants": "id text!; name text!; database_url text!; created_at timestamp+; is_active boolean+",
    "llm_providers": "id text!; display_name text!; api_base_url text; is_active boolean+",
    "llm_models": "id integer!; provider_id text+; model_name text!; model_class text!; is_active boolean+",
    "step_llm_defaults": "step text!; provider_id text+; model_class text!",
}


BAD_VALUES = [
    ("ck_tenants_id", "update tenants set id = '../acme'"),
    ("ck_tenants_id", "update tenants set id = 'Acme'"),
    ("ck_tenants_id", "update tenants set id = repeat('a', 41)"),
    ("uq_tenants_database", "insert into tenants select 'other', name, database_url from tenants"),
    ("ck_llm_models_model_class", "update llm_models set model_class = 'Pro'"),
    ("llm_models_provider_id_fkey", "update llm_models set provider_id = 'nobody'"),
    (
        "llm_models_provider_id_model_name_key",
        "insert into llm_models (provider_id, model_name, model_class) select provider_id, model_name, 'pro' from llm_models",
    ),
    ("ck_step_llm_defaults_model_class", "update step_llm_defaults set model_class = 'large'"),
    ("step_llm_defaults_provider_id_fkey", "update step_llm_defaults set provider_id = 'nobody'"),
    ("step_llm_defaults_pkey", "insert into step_llm_defaults select * from step_llm_defaults"),
]


@pytest.fixture(scope="module")
def scratch_llm_control(server: EmbeddedServer, template_database: Callable[[str], str]) -> Iterator[Scratch]:
    """The migrated database behind `filled`."""
    postgres = Database(server.url("postgres"))
    postgres.rows(f"create database scratch_llm_control template {template_database(SYSTEM)}")
    postgres.close()
    scratch = Scratch(server.url("scratch_llm_control"))
    yield scratch
    scratch.close()


@pytest.fixture
def filled(scratch_llm_control: Scratch) -> Iterator[Database]:
    """A migrated database with one row in every table, in one transaction."""
    scratch_llm_control.rows(ONE_ROW_EACH)
    yield scratch_llm_control
    scratch_llm_control.undo()


@pytest.fixture
def own(new_database: Callable[[str], str], connect: Callable[[str], Database]) -> Database:
    """A migrated database of the test's own with one row in every table, for work over several connections."""
    database = connect(new_database(SYSTEM))
    database.rows(ONE_ROW_EACH)
    return database


@pytest.mark.parametrize("table", DESIGN)
def test_table_has_the_columns_of_the_design(filled: Database, table: str) -> None:
    expected = [column.strip().replace("+", "!") for column in DESIGN[table].split(";")]
    assert [column for (column,) in filled.rows(COLUMNS, table)] == expected


@pytest.mark.parametrize(("constraint", "statement"), BAD_VALUES)
def test_bad_value_is_rejected(filled: Database, constraint: str, statement: str) -> None:
    with pytest.raises(psycopg2.IntegrityError) as raised:
        filled.rows(statement)
    assert raised.value.diag.constraint_name == constraint


def test_every_check_has_a_bad_value(filled: Database) -> None:
    checks = filled.rows("select distinct conname from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace")
    assert {name for (name,) in checks} <= {constraint for constraint, _ in BAD_VALUES}


def test_a_database_of_two_tenants_is_refused_without_showing_its_url(filled: Database) -> None:
    with pytest.raises(psycopg2.errors.UniqueViolation) as raised:
        filled.rows("insert into tenants select 'other', name, database_url from tenants")
    assert "secret-of-acme" not in str(raised.value)


@pytest.mark.parametrize("name", ["acme", "a", "0f8fad5b-d9cb-469f-a165-70867728950e", "north_2"])
def test_name_of_a_tenant_is_accepted(filled: Database, name: str) -> None:
    assert filled.value("update tenants set id = %s returning id", name) == name


def test_times_are_utc(filled: Database) -> None:
    filled.rows("set local time zone 'Asia/Tokyo'")
    assert filled.value("select created_at = now() at time zone 'utc' from tenants") is True
    filled.rows("insert into tenants (id, name, database_url) values ('late', 'Late', 'postgresql://late')")
    assert filled.value("select created_at = now() at time zone 'utc' from tenants where id = 'late'") is True


def test_the_application_works_with_its_rights(filled: Database) -> None:
    role = "llm_control_app"
    filled.rows("insert into llm_models (provider_id, model_name, model_class) values ('claude', 'claude-opus-4-1', 'pro')", role=role)
    filled.rows("update step_llm_defaults set model_class = 'pro'", role=role)
    filled.rows("delete from step_llm_defaults; delete from tenants", role=role)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("llm_control_app", "delete from llm_providers"),
        ("llm_control_app", "delete from llm_models"),
        ("llm_control_app", "truncate tenants"),
        ("llm_control_app", "create table mine (id integer)"),
        ("llm_control_readonly", "select database_url from tenants"),
        ("llm_control_readonly", "select * from tenants"),
        ("llm_control_readonly", "select md5(database_url) from tenants"),
        ("llm_control_readonly", "update tenants set name = 'mine'"),
        ("llm_control_sync", "update tenants set is_active = false"),
        ("llm_control_sync", "delete from step_llm_defaults"),
    ],
)
def test_what_a_role_may_not_do(filled: Database, role: str, statement: str) -> None:
    # PostgreSQL 14 lets everybody create tables in public; 15 and later do not.
    filled.rows("revoke create on schema public from public")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        filled.rows(statement, role=role)


def test_readers_read_what_they_may(filled: Database) -> None:
    assert filled.rows("select id, name, is_active from tenants", role="llm_control_readonly") == [("acme", "Acme", True)]
    for table in DESIGN:
        filled.rows(f"lock table {table} in access share mode", role="llm_control_sync")
    assert (
        filled.value("select database_url from tenants", role="llm_control_sync") == "postgresql://user:secret-of-acme@db.example.org/acme"
    )


def test_roles_are_dropped_with_the_last_database_that_uses_them(old_server: EmbeddedServer, connect: Callable[[str], Database]) -> None:
    """On the older server, where no template of the tests uses them."""
    for name in ("controls_one", "controls_two"):
        old_server.ensure_database(name)
        upgrade(SYSTEM, old_server.url(name))
    database = connect(old_server.url("controls_two"))
    roles = "select count(*) from pg_roles where rolname ~ '^llm_control_'"
    downgrade(SYSTEM, old_server.url("controls_one"), "base")
    assert database.value(roles) == 3
    downgrade(SYSTEM, database.url, "base")
    assert database.value(roles) == 0


def test_models_write_what_the_database_keeps(own: Database) -> None:
    connection = engine(own.url)
    with Session(connection) as session:
        session.add(LlmProvider(id="openai", display_name="OpenAI"))
        session.flush()
        session.add(LlmModel(provider_id="openai", model_name="gpt-5", model_class="pro"))
        session.add(StepLlmDefault(step="review", provider_id="openai", model_class="pro"))
        session.add(Tenant(id="north", name="North", database_url="postgresql://north"))
        session.commit()
    connection.dispose()
    written = own.rows(
        "select d.step, m.model_name, m.is_active, p.api_base_url, t.is_active from step_llm_defaults d join llm_models m"
        " using (provider_id, model_class) join llm_providers p on p.id = m.provider_id cross join tenants t where t.id = 'north'"
        " and d.step = 'review'"
    )
    assert written == [("review", "gpt-5", True, None, True)]
