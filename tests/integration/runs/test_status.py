"""What `runmart status` knows, held against the source and the operational tables asked with SQL of the test's own."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project.commands.status import system_statuses
from dagster_project.contracts.loading import load_contracts
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.sync import sync
from dagster_project.resources.databases import Databases
from dagster_project.settings import Settings
from tests.databases import run

SYSTEM = "forecast_tracking"
NOW = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint, clock_timestamp()"


@pytest.fixture
def databases(new_database: Callable[[str], str], tmp_path: Path) -> Databases:
    """A source with two tags, a warehouse and an instance that has seen no run."""
    source = new_database(SYSTEM)
    run(source, "insert into tags (tag_name) values ('a'), ('b')")
    return Databases(Settings(tmp_path, new_database("warehouse"), new_database("empty"), {SYSTEM: source}))


def sync_of(databases: Databases, on_event: Callable[[SyncEvent], None] = lambda _: None) -> int:
    return sync(load_contracts()[SYSTEM], databases.url(SYSTEM), databases.url("warehouse"), on_event=on_event).batch_id


def test_nothing_is_known_before_the_first_sync(databases: Databases) -> None:
    assert system_statuses(databases) == []


def test_status_tells_rows_batch_and_distance_from_the_source(databases: Databases) -> None:
    sync_of(databases)
    run(databases.url(SYSTEM), "insert into tags (tag_name) values ('c')")
    batch_id = sync_of(databases)
    ((snapshot_xmax, snapshot_at),) = run(
        databases.url("warehouse"),
        "select distinct split_part(snapshot, ':', 2)::bigint, snapshot_at from ops.table_state",
    )
    ((before_xmax, before),) = run(databases.url(SYSTEM), NOW)
    (status,) = system_statuses(databases)
    ((after_xmax, after),) = run(databases.url(SYSTEM), NOW)

    assert (status.system, status.capture, status.batch_id, status.source_note) == (SYSTEM, "horizon", batch_id, None)
    assert [table.table for table in status.tables] == sorted(load_contracts()[SYSTEM].tables)
    tags = next(table for table in status.tables if table.table == "tags")
    assert (tags.rows, tags.batch_id, tags.rows_read, tags.found_by, tags.is_loading) == (3, batch_id, 1, "horizon", False)
    for table in status.tables:
        assert table.behind_transactions is not None
        assert table.behind_seconds is not None
        assert before_xmax <= table.behind_transactions + snapshot_xmax <= after_xmax
        assert seconds(snapshot_at, before) <= table.behind_seconds <= seconds(snapshot_at, after)


def seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()


def test_source_that_cannot_be_reached_is_noted(databases: Databases) -> None:
    sync_of(databases)
    nowhere = {SYSTEM: "postgresql://nobody@127.0.0.1:1/nothing"}
    (status,) = system_statuses(Databases(replace(databases.settings, source_urls=nowhere)))
    assert status.source_note is not None
    assert "Connection refused" in status.source_note
    assert {(table.behind_seconds, table.behind_transactions) for table in status.tables} == {(None, None)}
    assert next(table for table in status.tables if table.table == "tags").rows == 2


def test_transactions_of_another_server_are_not_compared(databases: Databases) -> None:
    sync_of(databases)
    run(databases.url("warehouse"), "update ops.table_state set system_identifier = '1'")
    (status,) = system_statuses(databases)
    assert status.source_note == "it is another server than the one that was synced"
    assert {table.behind_transactions for table in status.tables} == {None}


def test_interrupted_first_sync_shows_what_is_there(databases: Databases) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(event: SyncEvent) -> None:
        if event.stage is Stage.LOADED and event.table == "runs":
            raise Interrupted

    with pytest.raises(Interrupted):
        sync_of(databases, interrupt)
    (status,) = system_statuses(databases)
    assert (status.batch_id, status.age_seconds) == (None, None)
    loaded = run(databases.url("warehouse"), f"select tablename::text from pg_tables where schemaname = 'loading_{SYSTEM}'")
    assert ("runs",) in loaded
    assert {(table.table, table.is_loading, table.rows_read) for table in status.tables} == {(table, True, None) for (table,) in loaded}


def test_table_that_stands_still_is_told_with_its_reason_until_it_is_synced(databases: Databases) -> None:
    sync_of(databases)
    source = databases.url(SYSTEM)
    run(source, "alter table users rename column username to login")
    sync_of(databases)
    (status,) = system_statuses(databases)
    ((since,),) = run(databases.url("warehouse"), "select stands_since from ops.standing_tables where table_name = 'users'")
    (told,) = (one for one in status.standing if one.line)
    tied = [one.table for one in status.standing if one.reason is None]
    assert (told.table, told.since, told.failing) == ("users", since, ("users",))
    assert "experiments" in tied
    assert "tags" not in tied
    why = f"the source {SYSTEM} has no column users.username: dropped or renamed; restore it there, or change its contract"
    since_when = f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    assert told.line == f"stands still since {since_when}, and with it {', '.join(tied)}: {why}"
    run(source, "alter table users rename column login to username")
    sync_of(databases)
    assert system_statuses(databases)[0].standing == ()
