"""The triggers that record changes and keep `updated_at` true."""

import re

import pytest

from tests.integration.migrations.conftest import Database

# Per audited table: its key, a column to change, the value it gets.
AUDITED = {
    "experiments": ("experiment_id", "experiment_description", "monthly totals"),
    "runs": ("run_id", "run_description", "first try"),
    "datasets": ("dataset_id", "dataset_description", "1949 to 1960"),
    "models": ("model_id", "checkpoint_path", "ets.ckpt"),
    "model_registry": ("registry_id", "approval_notes", "looks right"),
    "users": ("user_id", "full_name", "Ada Lovelace"),
    "user_experiments": ("user_experiment_id", "permission_level", "write"),
    "system_config": ("config_id", "category", "other"),
}
TOUCHED = {
    "experiments": "experiment_description",
    "runs": "run_description",
    "datasets": "dataset_description",
    "dataset_features": "exogenous_type",
    "models": "checkpoint_path",
    "model_registry": "approval_notes",
    "metric_summaries": "mean_value",
    "hyperparameter_search_spaces": "space_description",
    "artifacts": "description",
    "users": "full_name",
    "system_config": "description",
    "tags": "tag_description",
}
RECORDED = """
select operation_type, record_id, old_values, new_values, changed_fields from audit.audit_logs where table_name = %s order by audit_id
"""


def test_the_tables_with_triggers_are_these(filled: Database) -> None:
    with_trigger = "select distinct tgrelid::regclass::text from pg_trigger where not tgisinternal and tgname ~ %s"
    assert {name for (name,) in filled.rows(with_trigger, "_audit_trigger$")} == set(AUDITED)
    assert {name for (name,) in filled.rows(with_trigger, "_audit_truncate_trigger$")} == set(AUDITED)
    assert {name for (name,) in filled.rows(with_trigger, "_updated_at_trigger$")} == set(TOUCHED)
    have_column = "select table_name from information_schema.columns where column_name = 'updated_at' and table_schema = 'public'"
    assert {name for (name,) in filled.rows(have_column)} == set(TOUCHED)


@pytest.mark.parametrize("table", AUDITED)
def test_insert_update_and_delete_are_recorded_under_the_tables_own_key(filled: Database, table: str) -> None:
    key, column, value = AUDITED[table]
    row = f"select to_jsonb(t) from {table} t where {key} = 4711"
    # The key of the row is moved away from those of all other tables, so that no other number can be mistaken for it.
    filled.rows("set session_replication_role = replica")
    filled.rows(f"update {table} set {key} = 4711 where {key} = 1")
    stored = filled.value(f"select to_jsonb(t)::text from {table} t where {key} = 4711")
    filled.rows(f"delete from {table} where {key} = 4711")
    filled.rows("set session_replication_role = origin")
    filled.rows("delete from audit.audit_logs")

    filled.rows(f"insert into {table} select * from jsonb_populate_record(null::{table}, %s)", stored)
    before = filled.value(row)
    filled.rows(f"update {table} set {column} = %s where {key} = 4711", value)
    after = filled.value(row)
    filled.rows(f"update {table} set {column} = %s where {key} = 4711", value)
    filled.rows(f"delete from {table} where {key} = 4711")

    assert isinstance(before, dict)
    assert isinstance(after, dict)
    changed = {name: after[name] for name in after if after[name] != before[name]}
    assert set(changed) - {"updated_at"} == {column}
    assert filled.rows(RECORDED, table) == [
        ("INSERT", 4711, None, before, None),
        ("UPDATE", 4711, before, after, changed),
        ("DELETE", 4711, after, None, None),
    ]


@pytest.mark.parametrize("table", AUDITED)
def test_truncation_is_recorded(filled: Database, table: str) -> None:
    filled.rows(f"truncate {table} cascade")
    assert filled.rows(RECORDED, table)[-1] == ("TRUNCATE", None, None, None, None)


def test_a_cascade_is_recorded_table_by_table(filled: Database) -> None:
    filled.rows("delete from audit.audit_logs")
    filled.rows("delete from experiments")
    assert set(filled.rows("select table_name, operation_type from audit.audit_logs")) == {
        (table, "DELETE") for table in ("experiments", "runs", "models", "model_registry", "user_experiments")
    }


def test_bulk_tables_are_not_recorded(filled: Database) -> None:
    # The default settings were stored before there was an audit log.
    assert {name for (name,) in filled.rows("select table_name from audit.audit_logs")} == set(AUDITED) - {"system_config"}


def test_who_and_which_session_is_recorded(filled: Database) -> None:
    filled.rows("insert into experiments (experiment_name, created_by) values ('x', 'data_scientist')", role="data_scientist")
    ((user, address, session, pid),) = filled.rows(
        "select user_id, user_ip, session_id, to_hex(pg_backend_pid()) from audit.audit_logs order by audit_id desc limit 1"
    )
    assert (user, address) == ("postgres", None)
    assert re.fullmatch(rf"[0-9a-f]{{8}}\.{pid}", str(session))


@pytest.mark.parametrize("table", TOUCHED)
def test_updated_at_follows_an_update_in_plain_sql(filled: Database, table: str) -> None:
    column = TOUCHED[table]
    value = {"mean_value": "1.5", "exogenous_type": "static"}.get(column, "changed")
    past = "2001-02-03 04:05:06"
    filled.rows(f"update {table} set updated_at = %s", past)
    is_past = f"select bool_and(updated_at = %s) from {table}"
    assert filled.value(is_past, past) is True
    filled.rows(f"update {table} set updated_at = updated_at")
    assert filled.value(is_past, past) is True
    filled.rows(f"update {table} set {column} = %s", value)
    assert filled.value(f"select bool_and(updated_at between localtimestamp - interval '1 hour' and localtimestamp) from {table}") is True
