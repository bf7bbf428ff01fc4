"""Reconciliation names exactly the rows that somebody made differ in raw, and repairs no other."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.ingestion.reconcile import Reconcile
from tests.databases import wait_for_earlier_transactions
from tests.integration.ingestion.conftest import CONTRACT, Pair

DAMAGES = {
    "lost": "delete from raw_small.child where child_id = {id}",
    "stale": "update raw_small.child set value = -1 where child_id = {id}",
    "extra": "insert into raw_small.child (child_id, at, _batch_id, _synced_at) values ({id} + 1000, '2020-01-01', 1, now())",
    # Stored differently, though equal.
    "stale scale": "update raw_small.child set open_amount = open_amount * 1.0 where child_id = {id}",
    "stale zero": "update raw_small.child set value = '-0.0' where child_id = {id}",
    "stale null": "update raw_small.child set document = null where child_id = {id}",
    "lost tombstone": "update raw_small.child set _deleted_at = now() where child_id = {id}",
}


@given(damages=st.dictionaries(st.integers(1, 5), st.sampled_from(sorted(DAMAGES)), max_size=5), is_repairing=st.booleans())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_named_row_by_row(pair: Pair, damages: dict[int, str], is_repairing: bool) -> None:
    pair.at_source("update child set value = 0.0")
    # Rows that were written beside a transaction that still runs would be read again by the next sync, damage or not.
    wait_for_earlier_transactions(pair.source_url)
    pair.sync(reconciling=Reconcile(is_repairing=True))
    pair.in_warehouse("delete from raw_small.child where _deleted_at is not null")
    for child_id, damage in damages.items():
        pair.in_warehouse(DAMAGES[damage].format(id=child_id))
    result = pair.sync(reconciling=Reconcile(["child"], is_repairing))
    (child,) = result.reconciliations
    expected = sorted((child_id + 1000 * (damage == "extra"), damage.split()[0]) for child_id, damage in damages.items())
    logged = "select (key ->> 'child_id')::integer, difference from ops.repairs where batch_id = %s and is_repaired = %s order by 1"
    assert pair.in_warehouse(logged, result.batch_id, is_repairing) == expected
    assert child.differing == len(expected) == child.lost + child.extra + child.stale
    assert bool(result.warnings) == bool(expected)
    if is_repairing:
        pair.assert_equal()
        assert pair.in_warehouse("select live_rows from ops.table_state where table_name = 'child'") == [(5,)]
        touched = pair.in_warehouse("select count(*) from raw_small.child where _batch_id = %s", result.batch_id)
        assert touched == [(len(expected),)]
        assert pair.sync().warnings == ()


def test_rows_that_changes_have_brought_back_are_counted_once(pair: Pair) -> None:
    pair.sync()
    pair.in_warehouse("delete from raw_small.child where child_id <= 2")
    pair.at_source("update child set value = 0.5")
    pair.sync(reconciling=Reconcile())
    pair.assert_equal()
    assert pair.in_warehouse("select live_rows from ops.table_state where table_name = 'child'") == [(5,)]


def test_only_the_tables_that_were_named_are_compared(pair: Pair) -> None:
    pair.sync()
    assert [one.table for one in pair.sync(reconciling=Reconcile(["parent"])).reconciliations] == ["parent"]
    assert [one.table for one in pair.sync(reconciling=Reconcile()).reconciliations] == list(CONTRACT.tables)


@pytest.mark.parametrize("pair", ["horizon"], indirect=True)
def test_restarted_server_may_have_been_set_back(pair: Pair) -> None:
    """Nothing tells that it was not, so raw is compared, and rows that nobody wrote are found to differ."""
    pair.sync()
    pair.in_warehouse("update ops.table_state set started_at = started_at - interval '1 hour'")
    pair.in_warehouse("update raw_small.child set value = -1 where child_id = 3; delete from raw_small.parent where parent_id = 1")
    result = pair.sync()
    assert {table.found_by for table in result.tables} == {"comparison"}
    pair.assert_equal()
    assert pair.in_warehouse("select table_name, live_rows from ops.table_state order by 1") == [("child", 5), ("parent", 5)]
