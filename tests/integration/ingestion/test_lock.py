"""The lock of a sync, by itself: who gets it, how long it is held, and that holding it costs others nothing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import psycopg2
import pytest
from psycopg2 import sql

from dagster_project.ingestion.errors import SyncInProgress
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.lock import LockingConnection
from tests.databases import run
from tests.integration.ingestion.conftest import Pair

NewConnection = Callable[[], LockingConnection]
HOLDERS = "select count(*) from pg_locks where relation = 'locks.sync_small'::regclass and mode = 'ExclusiveLock' and granted"


@pytest.fixture
def warehouse_url(new_database: Callable[[str], str]) -> str:
    return new_database("warehouse")


@pytest.fixture
def new_connection(warehouse_url: str) -> Iterator[NewConnection]:
    """Gives connections that act as runmart_ingest."""
    with ExitStack() as opened:

        def connect() -> LockingConnection:
            connection = opened.enter_context(closing(psycopg2.connect(warehouse_url, connection_factory=LockingConnection)))
            connection.autocommit = True
            connection.cursor().execute("set role runmart_ingest")
            return connection

        yield connect


def is_free(new_connection: NewConnection, system: str = "small") -> bool:
    connection = new_connection()
    try:
        connection.lock(system)
    except SyncInProgress:
        return False
    connection.release()
    return True


def test_one_connection_holds_it_over_all_its_transactions(new_connection: NewConnection) -> None:
    holder = new_connection()
    holder.lock("small")
    assert not is_free(new_connection)
    assert is_free(new_connection, "large")
    with holder, holder.cursor() as cursor:
        cursor.execute("create table archive.kept ()")
    assert not is_free(new_connection)
    with pytest.raises(psycopg2.errors.DivisionByZero), holder, holder.cursor() as cursor:
        cursor.execute("create table archive.undone (); select 1 / 0")
    assert not is_free(new_connection)
    with holder.cursor() as cursor:
        cursor.execute("select to_regclass('archive.kept') is not null, to_regclass('archive.undone') is not null")
        assert cursor.fetchall() == [(True, False)]
    holder.release()
    assert is_free(new_connection)


def test_connection_that_is_closed_leaves_none(new_connection: NewConnection, warehouse_url: str) -> None:
    holder = new_connection()
    holder.lock("small")
    ((process,),) = run(warehouse_url, "select pid from pg_locks where relation = 'locks.sync_small'::regclass")
    run(warehouse_url, "select pg_terminate_backend(%s, 10000)", process)
    assert is_free(new_connection)


def test_who_lost_it_to_another_does_not_go_on(new_connection: NewConnection) -> None:
    """Another connection may come first between two transactions; the commit before is done, and the next transaction is none."""
    holder, other = new_connection(), new_connection()
    holder.lock("small")
    holder.release()
    other.lock("small")
    with pytest.raises(SyncInProgress, match="a sync of small is already running"), holder, holder.cursor() as cursor:
        cursor.execute("create table archive.kept ()")
    other.release()
    with other.cursor() as cursor:
        cursor.execute("select to_regclass('archive.kept') is not null")
        assert cursor.fetchall() == [(True,)]


@pytest.mark.parametrize("system", ["small", 'a "quoted" name'])
def test_name_of_the_system_is_no_sql(new_connection: NewConnection, warehouse_url: str, system: str) -> None:
    new_connection().lock(system)
    statement = sql.SQL("lock table {} in exclusive mode nowait").format(sql.Identifier("locks", f"sync_{system}"))
    with closing(psycopg2.connect(warehouse_url)) as connection, pytest.raises(psycopg2.errors.LockNotAvailable):
        connection.cursor().execute(statement)


def test_sync_that_waits_holds_back_neither_vacuum_nor_snapshots(pair: Pair) -> None:
    """An open transaction with a number or a snapshot would; limits of idle transactions do not end it."""
    held = []

    def look(event: SyncEvent) -> None:
        if event.stage in (Stage.LOCKED, Stage.SNAPSHOT, Stage.ACKNOWLEDGED):
            held.extend(
                pair.in_warehouse(
                    "select state, backend_xid, backend_xmin from pg_stat_activity"
                    " where datname = current_database() and application_name = 'runmart sync small'"
                )
            )
            assert pair.in_warehouse(HOLDERS) == [(1,)]

    pair.sync()
    replace(pair, warehouse_url=f"{pair.warehouse_url}&options=-c%20idle_in_transaction_session_timeout%3D1").sync(on_event=look)
    assert held == [("idle in transaction", None, None)] * 3
