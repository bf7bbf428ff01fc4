"""The source is protected: what the contract allows is what a sync takes."""

from contextlib import closing

import psycopg2
import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import errors
from dagster_project.ingestion.events import SyncEvent
from tests.integration.ingestion.conftest import CONTRACT, Pair


def limited(**limits: float) -> SystemContract:
    return CONTRACT.model_copy(update={"limits": CONTRACT.limits.model_copy(update=limits)})


def test_a_sync_has_no_more_connections_than_allowed(pair: Pair) -> None:
    seen: list[int] = []

    def count(_: SyncEvent) -> None:
        query = "select count(*) from pg_stat_activity where application_name = 'runmart sync small' and datname = current_database()"
        seen.append(pair.at_source(query)[0][0])

    for connections in (2, 3):
        pair.sync(limited(connections=connections), on_event=count)
        assert max(seen) <= connections
        # Once there is nothing to load, one reads, and another one asks a slot.
        seen.clear()
        pair.at_source("update parent set name = name || 'x' where parent_id = 1")
        pair.sync(limited(connections=connections), on_event=count)
        assert max(seen) == 1 if pair.capture == "horizon" else max(seen) <= 2
        pair.in_warehouse("drop schema raw_small cascade")


def test_limits_hold_in_the_session_that_reads(pair: Pair) -> None:
    def look(event: SyncEvent) -> None:
        if event.source is not None:
            with event.source.connection.cursor() as cursor:
                names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_read_only")
                cursor.execute(
                    "select array_agg(current_setting(name) order by place) from unnest(%s) with ordinality as n (name, place)",
                    (list(names),),
                )
                assert cursor.fetchall() == [(["3s", "7min", "5min", "on"],)]

    pair.sync(limited(lock_timeout_seconds=3, statement_timeout_minutes=7, idle_timeout_minutes=5), on_event=look)


def test_a_locked_table_is_not_waited_for_longer_than_allowed(pair: Pair) -> None:
    with closing(psycopg2.connect(pair.source_url)) as changing, changing.cursor() as cursor:
        cursor.execute("lock table child in access exclusive mode")
        with pytest.raises(errors.DatabaseUnreachable, match="a table stayed locked for too long") as caught:
            pair.sync(limited(lock_timeout_seconds=0.1))
        assert caught.value.is_transient
    pair.sync()
    pair.assert_equal()


def test_a_read_that_takes_too_long_names_the_limit_and_writes_nothing(pair: Pair) -> None:
    pair.at_source("alter table child rename to children")
    pair.at_source("create view child as select *, pg_sleep(60) is null as slow from children")
    with pytest.raises(errors.SyncError, match="raise statement_timeout_minutes or snapshot_minutes") as caught:
        pair.sync(limited(statement_timeout_minutes=0.001))
    assert not caught.value.is_transient
    assert pair.in_warehouse("select to_regclass('raw_small.child')") == [(None,)]
