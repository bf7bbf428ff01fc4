"""First loads over several connections: one snapshot, within the limits, and nothing is lost however a worker or its sync ends."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace

import psycopg2
import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import relay, watermark
from dagster_project.ingestion.errors import DatabaseUnreachable, SyncInProgress
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.source import SourceSnapshot
from dagster_project.ingestion.watermark import Batch
from tests.databases import create_login, run
from tests.integration.capture import oracle
from tests.integration.capture.oracle import Contents
from tests.integration.ingestion.conftest import Pair, failures
from tests.waiting import until

# Two families, and tables that nothing ties to others.
FAMILIES = ("apple", "pear")
LONE = ("stone", "sand", "clay", "salt")

# What a sync calls its sessions.
NAME = "runmart sync many"
# Others than the one that holds the lock of the sync.
WORKERS = f"""
select pid from pg_stat_activity
where application_name = '{NAME}' and datname = current_database()
    and pid not in (select pid from pg_locks where relation = to_regclass('locks.sync_many') and granted)
"""
# The first that a sync opened holds its snapshot.
SESSIONS = f"select pid from pg_stat_activity where application_name = '{NAME}' and datname = current_database() order by backend_start"


def many(connections: int, **limits: float) -> SystemContract:
    """The contract of all tables, to be loaded over that many connections."""
    plain = {"description": "A table.", "key": ["id"], "columns": ["id", "v"]}
    tied = {"description": "A table.", "key": ["id"], "columns": ["id", "parent_id", "v"]}
    tables = {
        **dict.fromkeys((*FAMILIES, *LONE), plain),
        **{f"{name}_seed": {**tied, "foreign_keys": {"parent_id": f"{name}.id"}} for name in FAMILIES},
    }
    return SystemContract.model_validate(
        {
            "system": "many",
            "description": "Many tables.",
            "limits": {"connections": connections, **limits},
            "freshness": {"warn_after_hours": 1, "error_after_hours": 2},
            "tables": tables,
        }
    )


@pytest.fixture
def here(new_database: Callable[[str], str]) -> Pair:
    """A filled source of many tables and an empty warehouse."""
    pair = Pair(new_database("empty"), new_database("warehouse"))
    for name in (*FAMILIES, *LONE):
        pair.at_source(
            f"create table {name} (id bigint primary key, v text); insert into {name} select n, 'v' from generate_series(1, 50) n"
        )
    for name in FAMILIES:
        pair.at_source(f"create table {name}_seed (id bigint primary key, parent_id bigint references {name}, v text)")
        pair.at_source(f"insert into {name}_seed select n, n, 'v' from generate_series(1, 50) n")
    return pair


def change(pair: Pair) -> None:
    """Insert, update and delete in every table, and move rows to other parents."""
    for name in FAMILIES:
        pair.at_source(f"delete from {name}_seed where id = (select min(id) from {name}_seed)")
    for name in (*FAMILIES, *LONE):
        pair.at_source(
            f"insert into {name} select max(id) + 1, 'new' from {name}; update {name} set v = v || '!' where id between 20 and 25"
        )
    for name in FAMILIES:
        pair.at_source(f"update {name}_seed set parent_id = (select max(id) from {name}) where id between 30 and 35")


def raw(pair: Pair) -> Contents:
    return oracle.raw_contents(pair.warehouse_url, many(1))


def assert_equal(pair: Pair, contents: Contents | None = None) -> None:
    """Raw is the source at a snapshot, or now."""
    expected = oracle.source_contents(pair.source_url, many(1)) if contents is None else contents
    assert oracle.compare(expected, raw(pair)).total == 0


def once(stage: Stage, action: Callable[[], object]) -> Callable[[SyncEvent], None]:
    """Do something when the first table comes to a stage."""
    waiting = [action]

    def watch(event: SyncEvent) -> None:
        if event.stage is stage and waiting:
            waiting.pop()()

    return watch


@pytest.mark.parametrize("connections", [2, 3, 8])
def test_many_tables_are_loaded_as_of_one_snapshot_while_they_change(here: Pair, connections: int) -> None:
    seen: list[Contents] = []
    told_by: set[int] = set()

    def watch(event: SyncEvent) -> None:
        told_by.add(threading.get_ident())
        if event.source is not None:
            seen.append(oracle.source_contents(here.source_url, many(1), oracle.exported(event.source)))
        if event.stage in (Stage.SNAPSHOT, Stage.COPIED, Stage.LOADED):
            change(here)

    result = here.sync(many(connections), on_event=watch)
    assert {table.found_by for table in result.tables} == {"first load"}
    assert_equal(here, *seen)
    assert told_by == {threading.get_ident()}
    here.sync(many(connections))
    assert_equal(here)


@pytest.mark.parametrize("connections", [1, 2, 3, 8])
def test_source_has_never_more_sessions_than_connections(here: Pair, connections: int) -> None:
    sessions: list[int] = []

    def count(_: SyncEvent) -> None:
        sessions.extend(n for (n,) in here.at_source(f"select count(*) from ({SESSIONS}) as session"))

    result = here.sync(many(connections), on_event=count)
    assert max(sessions) == connections
    # Nothing is left for others to do once all is loaded.
    assert sessions[-1] == 1
    assert len(result.tables) == len(many(1).tables)


def test_one_connection_makes_no_thread(here: Pair) -> None:
    threads = threading.active_count()

    def look(event: SyncEvent) -> None:
        if event.stage is not Stage.COPYING:
            assert threading.active_count() == threads

    here.sync(many(1), on_event=look)
    assert_equal(here)


def test_connections_read_the_same_snapshot_and_share_the_limit_of_speed(here: Pair) -> None:
    contract, shared = many(3, read_megabytes_per_second=6), []

    def look(event: SyncEvent) -> None:
        if event.source is not None:
            change(here)
            with event.source.also_over(3, contract, here.source_url) as snapshots:
                for each in snapshots:
                    with each.reading() as reading:
                        reading.execute("select pg_current_snapshot()::text, count(*) filter (where v = 'new') from stone")
                        shared.append((each.limits.read_megabytes_per_second, *reading.fetchall()))
                assert {row for _, row in shared} == {(event.source.position.snapshot, 0)}

    here.sync(contract, on_event=look)
    assert [speed for speed, _ in shared] == [2, 2, 2]


def test_connections_are_closed_at_the_source_before_others_are_opened(here: Pair) -> None:
    with closing(psycopg2.connect(here.source_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True

        def look(event: SyncEvent) -> None:
            for _ in range(20 if event.source is not None else 0):
                assert event.source is not None
                with event.source.also_over(5, many(5), here.source_url) as snapshots:
                    assert len(snapshots) == 5
                cursor.execute(SESSIONS)
                assert cursor.rowcount == 1

        here.sync(many(1), on_event=look)


def test_source_that_grants_one_connection_is_loaded_over_one(here: Pair) -> None:
    create_login(here.source_url, "lonely")
    try:
        run(here.source_url, "alter role lonely connection limit 1; grant select on all tables in schema public to lonely")
        Pair(f"{here.source_url}&user=lonely", here.warehouse_url).sync(many(3))
        assert_equal(here)
    finally:
        run(here.source_url, "drop owned by lonely; drop role lonely")


def test_change_of_schema_that_waits_holds_up_no_load(here: Pair) -> None:
    """It waits for the locks that the sync has; further connections would wait behind it, and the sync for them."""

    def alter() -> None:
        run(here.source_url, "alter table clay add column late text")

    altering = threading.Thread(target=alter)

    def watch(event: SyncEvent) -> None:
        if event.source is not None:
            altering.start()
            waiting = "select count(*) from pg_locks where relation = 'clay'::regclass and not granted"
            until(lambda: here.at_source(waiting) == [(1,)])

    result = here.sync(many(3, lock_timeout_seconds=1), on_event=watch)
    altering.join()
    assert result.standing == ()
    assert_equal(here)


def test_table_that_fails_in_a_worker_fails_alone(here: Pair) -> None:
    here.at_source("alter table sand drop constraint sand_pkey; insert into sand values (7, 'again')")
    here.at_source("alter table clay rename to clays; create view clay as select id, (1 / (id - 30))::text as v from clays")
    here.at_source("alter table pear_seed drop constraint pear_seed_pkey; insert into pear_seed values (1, 1, 'again')")
    result = here.sync(many(3))
    told = failures(result)
    assert told.keys() == {"sand", "clay", "pear_seed"}
    assert {one.table for one in result.standing} == {*told, "pear"}
    assert told["clay"] == "the source many, table clay, column v, row id = 30: division by zero"
    assert "the key of sand does not identify its rows" in told["sand"]
    well = many(1).only(many(1).tables.keys() - {*told, "pear"})
    assert oracle.compare(oracle.source_contents(here.source_url, well), oracle.raw_contents(here.warehouse_url, well)).total == 0
    here.at_source("delete from sand where v = 'again'; delete from pear_seed where v = 'again'; delete from clays where id = 30")
    assert here.sync(many(3)).standing == ()
    assert_equal(here)


@pytest.mark.parametrize(("side", "connections"), [("source", 1), ("source", 3), ("warehouse", 3)])
def test_worker_that_loses_a_connection_ends_the_sync_and_the_next_goes_on(here: Pair, side: str, connections: int) -> None:
    loaded: list[str | None] = []
    ask, sessions = (here.at_source, SESSIONS) if side == "source" else (here.in_warehouse, WORKERS)

    def watch(event: SyncEvent) -> None:
        if event.stage is Stage.LOADED:
            loaded.append(event.table)
        if event.stage is Stage.COPIED and len(loaded) >= 2:
            ask(f"select pg_terminate_backend(pid, 10000) from ({sessions}) as session")

    with pytest.raises(DatabaseUnreachable, match=f"the {side}"):
        here.sync(many(connections), on_event=watch)
    assert raw(here) == {table: {} for table in many(1).tables}
    change(here)
    resumed = {table.table for table in here.sync(many(connections)).tables if table.found_by.startswith("resumed first load")}
    assert resumed >= set(loaded)
    assert len(loaded) >= 2
    assert_equal(here)


@pytest.mark.parametrize("is_closed", [False, True])
@pytest.mark.parametrize("is_reading", [True, False])
def test_source_that_is_lost_while_raw_is_written_is_named(here: Pair, is_reading: bool, is_closed: bool) -> None:
    """Whatever comes next: the end of what was read or the next statement, which finds the connection lost or closed."""
    opened: list[SourceSnapshot] = []
    lose = f"select pg_terminate_backend(pid, 10000) from ({SESSIONS}) as session"

    def look(event: SyncEvent) -> None:
        if event.source is not None:
            opened.append(event.source)
        if event.stage is Stage.COPIED:
            (source,) = opened
            with source.reading() if is_reading else nullcontext():
                here.at_source(lose)
                if is_closed:
                    source.connection.close()
            source.keep()

    with pytest.raises(DatabaseUnreachable, match="the source many"):
        here.sync(many(1), on_event=look)


@pytest.mark.parametrize("connections", [1, 3])
def test_source_that_is_lost_before_anything_is_loaded_is_named(here: Pair, connections: int) -> None:
    def lose() -> None:
        here.at_source(f"select pg_terminate_backend(pid, 10000) from ({SESSIONS}) as session")

    with pytest.raises(DatabaseUnreachable, match="the source many"):
        here.sync(many(connections), on_event=once(Stage.SNAPSHOT, lose))
    here.sync(many(connections))
    assert_equal(here)


def test_second_sync_is_refused_while_workers_load(here: Pair) -> None:
    def second() -> None:
        with pytest.raises(SyncInProgress, match="a sync of many is already running"):
            here.sync(many(3))

    here.sync(many(3), on_event=once(Stage.COPIED, second))
    assert_equal(here)


def test_second_sync_is_refused_while_workers_write_for_one_that_lost_its_lock(here: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one's connection that held the lock is gone, and it does not know yet; its worker has just begun to write."""
    monkeypatch.setattr(relay, "SECONDS_BETWEEN_REPORTS", 0.0)
    free = "select count(*) from pg_locks where relation = 'locks.sync_many'::regclass"

    def lose_lock() -> None:
        here.in_warehouse("select pg_terminate_backend(pid, 10000) from pg_locks where relation = 'locks.sync_many'::regclass")
        assert here.in_warehouse(free) == [(0,)]
        # It shall not wait for ever, if it goes on, for what the worker has made.
        hasty = replace(here, warehouse_url=f"{here.warehouse_url}&options=-c%20lock_timeout%3D5000")
        with pytest.raises(SyncInProgress, match="a sync of many is already running"):
            hasty.sync(many(3))

    with pytest.raises(DatabaseUnreachable, match="the warehouse"):
        here.sync(many(3), on_event=once(Stage.COPYING, lose_lock))
    change(here)
    result = here.sync(many(3))
    assert {table.found_by.split(",")[0] for table in result.tables} == {"resumed first load"}
    assert here.in_warehouse("select count(*), count(committed_at) from ops.batches") == [(1, 1)]
    assert_equal(here)


@contextmanager
def writing(url: str) -> Iterator[psycopg2.extensions.cursor]:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("set role runmart_ingest")
        yield cursor


def test_batch_is_held_for_the_sync_that_wrote_it_last(here: Pair) -> None:
    """Whoever goes on with it waits for nobody, and nobody writes for the one before."""
    position = None

    def keep(event: SyncEvent) -> None:
        nonlocal position
        if event.source is not None:
            position = event.source.position
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        here.sync(many(1), on_event=keep)
    assert position is not None
    how = (None, "horizon", position)
    with writing(here.warehouse_url) as cursor:
        cursor.execute("select now()")
        ((now,),) = cursor.fetchall()
        assert watermark.resume_batch(cursor, "many", *how) is None
        first = Batch(*watermark.begin_batch(cursor, "many", *how), now)
    with writing(here.warehouse_url) as worker:
        watermark.hold_batch(worker, "many", first)
        with writing(here.warehouse_url) as another:
            watermark.hold_batch(another, "many", first)
        for begin in (watermark.resume_batch, watermark.begin_batch):
            with pytest.raises(SyncInProgress), writing(here.warehouse_url) as cursor:
                begin(cursor, "many", *how)
    with writing(here.warehouse_url) as cursor:
        assert watermark.begin_batch(cursor, "many", *how) != (first.batch_id, first.begun_by)
        # Not even committed.
        with pytest.raises(SyncInProgress), writing(here.warehouse_url) as worker:
            watermark.hold_batch(worker, "many", first)
    with pytest.raises(SyncInProgress), writing(here.warehouse_url) as worker:
        watermark.hold_batch(worker, "many", first)
    assert here.in_warehouse("select batch_id from ops.batches") == [(first.batch_id,)]


def test_old_snapshot_is_let_go_between_loads(here: Pair) -> None:
    snapshots: set[str] = set()

    def note(event: SyncEvent) -> None:
        if event.source is not None:
            snapshots.add(event.source.position.snapshot)
            change(here)

    here.sync(many(3, snapshot_minutes=1e-9), on_event=note)
    assert len(snapshots) > 1
    here.sync(many(3))
    assert_equal(here)


@contextmanager
def slow(pair: Pair, *tables: str) -> Iterator[dict[int, psycopg2.extensions.connection]]:
    """Whoever reads one of these tables waits until its connection, given by its number, is closed; they are the last to be loaded."""
    wait = "begin perform pg_advisory_lock_shared(n); return true; end"
    pair.at_source(f"create function waited(n bigint) returns boolean language plpgsql as '{wait}'")
    with ExitStack() as opened:
        holders = {}
        for number, table in enumerate(tables):
            pair.at_source(
                f"alter table {table} rename to {table}s; create view {table} as select id, v from {table}s where waited({number})"
            )
            holders[number] = opened.enter_context(closing(psycopg2.connect(pair.source_url)))
            holders[number].cursor().execute("select pg_advisory_lock(%s)", (number,))
        yield holders


WAITING = "select objid from pg_locks where locktype = 'advisory' and not granted"


def test_interrupted_sync_interrupts_its_workers(here: Pair) -> None:
    """Although one of them waits for a statement that does not end by itself."""
    main, has_ended = threading.get_ident(), threading.Event()

    def interrupt() -> None:
        until(lambda: here.at_source(WAITING) == [(0,)])
        signal.pthread_kill(main, signal.SIGINT)
        if not has_ended.wait(20):
            holders[0].close()

    interrupting = threading.Thread(target=interrupt)
    with slow(here, "clay") as holders:
        with pytest.raises(KeyboardInterrupt):
            here.sync(many(2, lock_timeout_seconds=600), on_event=once(Stage.SNAPSHOT, interrupting.start))
        has_ended.set()
        interrupting.join()
        assert not holders[0].closed
        until(lambda: here.at_source(SESSIONS) == here.in_warehouse(WORKERS) == [])
    here.sync(many(2))
    assert_equal(here)


def test_snapshot_is_kept_for_those_who_still_load(here: Pair) -> None:
    """Its own connection has nothing left to do; the source would end a transaction that is idle for so long."""
    asked: set[object] = set()

    def has_asked_often() -> bool:
        asked.update(here.at_source(f"select query, query_start from pg_stat_activity where pid = ({SESSIONS} limit 1)"))
        return len(asked) > 10

    def let_go() -> None:
        with ExitStack() as closed:
            for holder in holders.values():
                closed.callback(holder.close)
            until(lambda: set(here.at_source(WAITING)) == {(0,), (1,)})
            ((its_own,),) = here.at_source(f"{WAITING} and pid = ({SESSIONS} limit 1)")
            holders[its_own].close()
            until(has_asked_often)

    letting_go = threading.Thread(target=let_go)
    with slow(here, "clay", "sand") as holders:
        here.sync(many(2, idle_timeout_minutes=3 / 60, lock_timeout_seconds=600), on_event=once(Stage.SNAPSHOT, letting_go.start))
        letting_go.join()
    assert len(asked) > 10
    assert_equal(here)


def test_worker_tells_how_far_it_is(here: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "SECONDS_BETWEEN_REPORTS", 0.0)
    told: list[tuple[Stage, str | None]] = []
    here.sync(many(3), on_event=lambda event: told.append((event.stage, event.table)))
    for table in many(1).tables:
        stages = [stage for stage, each in told if each == table and stage is not Stage.APPLIED]
        assert stages[-2:] == [Stage.COPIED, Stage.LOADED]
        assert set(stages[:-2]) == {Stage.COPYING}
