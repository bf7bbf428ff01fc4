"""Roles, rights and row level security, by trying."""

from collections.abc import Callable

import psycopg2
import pytest

from dagster_project.resources.embedded import EmbeddedServer
from migrations.run import downgrade, upgrade
from tests.integration.migrations.conftest import ONE_ROW_EACH, Database

CREATE = "insert into experiments (experiment_name) values (%s) returning experiment_id"
SHARE = "insert into user_experiments (user_id, experiment_id, permission_level) select user_id, %s, %s from users where username = %s"
VISIBLE = "select experiment_name from experiments order by experiment_name"
ROLES = "select rolname from pg_roles where rolname in ('readonly_user', 'data_scientist', 'admin_user')"


@pytest.fixture
def experiments(people: Database) -> Database:
    """`people`, where Ada has an experiment `a` (1), Bob `b` (2), and a role without a user `n` (3)."""
    people.rows(CREATE, "a", role="test_ada")
    people.rows(CREATE, "b", role="test_bob")
    people.rows(CREATE, "n", role="data_scientist")
    return people


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("test_ada", "a"),
        ("test_bob", "b"),
        ("data_scientist", "n"),
        ("test_root", "abn"),
        ("readonly_user", "abn"),
        ("admin_user", "abn"),
        ("none", "abn"),
    ],
)
def test_experiments_are_seen_by_their_owner_and_by_those_who_see_all(experiments: Database, role: str, names: str) -> None:
    assert experiments.rows(VISIBLE, role=role) == [(name,) for name in names]


@pytest.mark.parametrize(("level", "may_change", "may_share"), [("read", 0, 0), ("write", 1, 0), ("admin", 1, 1), ("owner", 1, 1)])
def test_a_share_gives_what_its_level_says(experiments: Database, level: str, may_change: bool, may_share: bool) -> None:
    experiments.rows(SHARE, 1, level, "test_bob", role="test_ada")
    assert experiments.rows(VISIBLE, role="test_bob") == [("a",), ("b",)]
    changed = experiments.rows("update experiments set status = 'archived' where experiment_id = 1 returning 1", role="test_bob")
    assert len(changed) == may_change
    if may_share:
        experiments.rows(SHARE, 1, "read", "test_root", role="test_bob")
    else:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
            experiments.rows(SHARE, 1, "read", "test_root", role="test_bob")
    experiments.rows("update users set is_active = false where username = 'test_bob'")
    assert experiments.rows(VISIBLE, role="test_bob") == [("b",)]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into experiments (experiment_name, created_by) values ('for bob', 'test_bob')",
        "update experiments set created_by = 'test_bob' where experiment_id = 1",
        "update users set is_superuser = true",
        "insert into users (username, email, is_superuser) values ('eve', 'eve@example.org', true)",
        "update system_config set config_value = '0'",
        "insert into user_experiments (user_id, experiment_id, permission_level) values (1, 2, 'owner')",
        "delete from experiments",
        "select * from audit.audit_logs",
        "select * from mv_experiment_summary",
        "truncate runs",
        "select create_partitions('predictions', '1949-01-01', '1949-01-01')",
        "select archive_partitions('predictions', '2030-01-01')",
    ],
)
def test_a_data_scientist_may_not(experiments: Database, statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        experiments.rows(statement, role="test_ada")


def test_a_share_cannot_be_moved_to_the_experiment_of_another(experiments: Database) -> None:
    experiments.rows(SHARE, 1, "owner", "test_ada", role="test_ada")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
        experiments.rows("update user_experiments set experiment_id = 2", role="test_ada")
    assert experiments.rows("update experiments set status = 'deleted' where experiment_id = 2 returning 1", role="test_ada") == []


def test_a_data_scientist_records_a_whole_experiment(people: Database) -> None:
    ((experiment,),) = people.rows(CREATE, "mine", role="test_ada")
    ((run,),) = people.rows(
        "insert into runs (experiment_id, run_name, run_fingerprint) values (%s, 'r', 'f') returning run_id", experiment, role="test_ada"
    )
    ((model,),) = people.rows(
        "insert into models (run_id, model_name, model_type, framework, model_config, model_file_path)"
        " values (%s, 'm', 't', 'xgboost', '{}', 'm.json') returning model_id",
        run,
        role="test_ada",
    )
    for day in ("1949-01-01", "2025-06-01", "2199-01-01"):
        people.rows(
            "insert into predictions (run_id, model_id, prediction_date, unique_id, horizon, predicted_value)"
            " values (%s, %s, %s, 's', 1, 1)",
            run,
            model,
            day,
            role="test_ada",
        )
    people.rows("insert into system_logs (log_level, log_message, run_id) values ('INFO', 'done', %s)", run, role="test_ada")
    people.rows("update runs set status = 'completed'", role="test_ada")
    assert people.rows(
        "select table_name, operation_type from audit.audit_logs where table_name in ('experiments', 'runs', 'models') order by audit_id"
    ) == [("experiments", "INSERT"), ("runs", "INSERT"), ("models", "INSERT"), ("runs", "UPDATE")]


def test_the_reader_reads_every_row_and_changes_none(experiments: Database) -> None:
    experiments.rows(SHARE, 1, "read", "test_bob", role="test_ada")
    tables = [str(name) for (name,) in experiments.rows("select tablename from pg_tables where schemaname = 'public'")]
    for table in [*tables, "audit.audit_logs", "mv_experiment_summary", "mv_model_performance"]:
        count = f"select count(*) from {table}"
        assert experiments.value(count, role="readonly_user") == experiments.value(count), table
    experiments.rows("lock table experiments, audit.audit_logs in access share mode", role="readonly_user")
    for statement in ("delete from metrics", "update runs set status = 'failed'", "insert into tags (tag_name) values ('x')"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            experiments.rows(statement, role="readonly_user")


def test_the_reader_reads_tables_that_come_later(database: Database) -> None:
    database.rows("create table later (id bigint)")
    assert database.value("select count(*) from later", role="readonly_user") == 0


def test_an_admin_manages_partitions_users_and_shares(experiments: Database) -> None:
    assert experiments.value("select create_partitions('predictions', '1949-01-01', '1949-01-01')", role="admin_user") == 1
    assert experiments.value("select archive_partitions('predictions', '1950-01-01')", role="admin_user") == 1
    experiments.rows("update users set is_superuser = true where username = 'test_ada'", role="admin_user")
    experiments.rows("update experiments set created_by = 'test_ada' where experiment_id = 3", role="admin_user")
    experiments.rows("delete from experiments where experiment_id = 2", role="admin_user")
    assert experiments.rows(VISIBLE, role="admin_user") == [("a",), ("n",)]


def test_a_refresh_sees_every_row(experiments: Database) -> None:
    experiments.rows("refresh materialized view mv_experiment_summary")
    assert experiments.value("select count(*) from mv_experiment_summary") == 3


def test_roles_have_no_powers_over_the_cluster(filled: Database) -> None:
    powers = "select bool_or(rolsuper or rolcreaterole or rolcreatedb or rolcanlogin or rolbypassrls or rolpassword is not null)"
    names = "rolname in ('readonly_user', 'data_scientist', 'admin_user')"
    assert filled.value(f"{powers} from pg_authid where {names}") is False


def test_roles_stay_while_another_database_or_a_member_uses_them(old_server: EmbeddedServer, connect: Callable[[str], Database]) -> None:
    urls = []
    for name in ("first", "second"):
        old_server.ensure_database(name)
        urls.append(old_server.url(name))
        upgrade("forecast_tracking", urls[-1])
    database = connect(urls[0])
    database.rows(ONE_ROW_EACH)
    downgrade("forecast_tracking", urls[0], "base")
    assert len(database.rows(ROLES)) == 3
    database.rows("create role member; grant data_scientist to member")
    downgrade("forecast_tracking", urls[1], "base")
    assert database.rows(ROLES) == [("data_scientist",)]
    database.rows("drop role member; drop role data_scientist")
