"""What happens while a sync runs, or across several: open and prepared transactions, changed partitions, other readers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import slot
from dagster_project.ingestion.errors import SyncInProgress
from dagster_project.ingestion.events import Stage
from dagster_project.ingestion.sync import sync
from tests.integration.capture import hazards
from tests.integration.capture.judge import during, exact_sync
from tests.integration.capture.places import Place, place
from tests.integration.capture.servers import Server
from tests.integration.capture.tables import contract
from tests.integration.capture.writers import fill
from tests.waiting import until


@contextmanager
def transaction(place: Place) -> Iterator[Connection]:
    """A transaction at the source that the test ends."""
    with closing(psycopg2.connect(place.source_url)) as connection:
        yield connection


def test_open_transaction_arrives_after_it_commits(awkward: SystemContract, somewhere: Place) -> None:
    with transaction(somewhere) as held, held.cursor() as cursor:
        cursor.execute("insert into ledger (at) values (now()) returning ledger_id")
        cursor.execute("update account set balance = 1 where account_id = (select max(account_id) from account)")
        cursor.execute("delete from setting where name = (select min(name) from setting)")
        for _ in range(2):
            fill(somewhere.source_url, "beside", 10)
            exact_sync(somewhere, awkward)
        held.commit()
        exact_sync(somewhere, awkward)


def test_prepared_transaction_arrives_after_it_commits(awkward: SystemContract, somewhere: Place) -> None:
    somewhere.at_source(
        "begin; update account set balance = 1 where account_id < 5; insert into ledger (at) values (now()); prepare transaction 'later'"
    )
    for _ in range(2):
        fill(somewhere.source_url, "beside", 10)
        exact_sync(somewhere, awkward)
    somewhere.at_source("commit prepared 'later'")
    exact_sync(somewhere, awkward)


def test_transaction_is_decoded_before_it_is_visible(awkward: SystemContract, somewhere: Place) -> None:
    """It waits for a standby that never answers: its commit is in the log, but nobody sees it."""
    with waiting_for_ghost(somewhere, "update account set balance = 4711"):
        for _ in range(2):
            somewhere.at_source("insert into ledger (at) values (now())")
            exact_sync(somewhere, awkward)
    exact_sync(somewhere, awkward)
    assert somewhere.in_warehouse("select count(*) > 0 from raw_awkward.account where balance = 4711") == [(True,)]


@contextmanager
def waiting_for_ghost(place: Place, statement: str) -> Iterator[None]:
    """A statement whose commit waits for a standby within the block, and is seen after it."""
    server = place.source_server
    server.execute("alter system set synchronous_standby_names = 'ghost'")
    server.execute("select pg_reload_conf()")
    writer = threading.Thread(target=place.at_source, args=(f"set synchronous_commit = on; {statement}",))
    writer.start()
    until(lambda: server.execute("select count(*) from pg_stat_activity where wait_event = 'SyncRep'") == [(1,)])
    try:
        yield
    finally:
        server.execute("alter system reset synchronous_standby_names")
        server.execute("select pg_reload_conf()")
        writer.join()


@pytest.mark.parametrize("stage", [Stage.SNAPSHOT, Stage.APPLIED, Stage.COMMITTING, Stage.COMMITTED])
def test_rows_written_during_a_sync_arrive_with_the_next(stage: Stage, awkward: SystemContract, somewhere: Place) -> None:
    fill(somewhere.source_url, "first", 10)
    exact_sync(somewhere, awkward, during(stage, lambda: fill(somewhere.source_url, "second", 20)))
    exact_sync(somewhere, awkward)


@pytest.mark.parametrize("stage", [Stage.SNAPSHOT, Stage.APPLIED])
def test_partition_that_is_attached_during_a_sync(stage: Stage, awkward: SystemContract, somewhere: Place) -> None:
    """Which partitions a query reads is no matter of its snapshot, so this sync may have its rows or not; the next one must."""
    fill(somewhere.source_url, "first", 10)
    attach = partial(at_source, somewhere, lambda cursor: hazards.attach_filled(cursor, 2024))
    exact_sync(somewhere, awkward, during(stage, attach))
    exact_sync(somewhere, awkward)
    at_source(somewhere, lambda cursor: hazards.change_while_detached(cursor, 2024))
    exact_sync(somewhere, awkward)


def at_source(place: Place, act: Callable[[psycopg2.extensions.cursor], object]) -> None:
    with closing(psycopg2.connect(place.source_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            act(cursor)


def test_second_sync_of_a_system_leaves_with_a_clear_line(awkward: SystemContract, somewhere: Place) -> None:
    def second() -> None:
        with pytest.raises(SyncInProgress, match="a sync of awkward is already running"):
            sync(awkward, somewhere.source_url, somewhere.warehouse_url)

    fill(somewhere.source_url, "first", 10)
    exact_sync(somewhere, awkward, during(Stage.SNAPSHOT, second))
    exact_sync(somewhere, awkward)


def test_two_warehouses_of_one_source(awkward: SystemContract, capture_servers: tuple[Server, Server], somewhere: Place) -> None:
    """They share the slot's name, so each finds that somebody else has moved it."""
    with place(*capture_servers) as other:
        both = [somewhere, Place(*capture_servers, somewhere.source, other.warehouse)]
        for turn in range(3):
            for one in both:
                exact_sync(one, awkward)
                fill(somewhere.source_url, f"{turn} {one.warehouse}", 10)


def test_capture_mode_changes_back_and_forth(somewhere: Place) -> None:
    fill(somewhere.source_url, "before", 40)
    slot.enable(contract("cdc"), somewhere.source_url)
    for turn, capture in enumerate(("horizon", "cdc", "cdc", "horizon", "horizon", "cdc", "cdc")):
        exact_sync(somewhere, contract("cdc" if capture == "cdc" else "horizon"))
        fill(somewhere.source_url, f"turn {turn}", 10)
    exact_sync(somewhere, contract("cdc"))


def test_slot_is_moved_past_a_transaction_that_nobody_sees(somewhere: Place) -> None:
    """A transaction that is under way may have a number beyond all that the snapshot names, and be in the log before the slot's place."""
    chosen = contract("cdc")
    fill(somewhere.source_url, "before", 40)
    slot.enable(chosen, somewhere.source_url)
    exact_sync(somewhere, chosen)
    with waiting_for_ghost(somewhere, "update account set balance = 4711"):
        somewhere.at_source("select pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) from pg_replication_slots")
        exact_sync(somewhere, chosen)
        exact_sync(somewhere, chosen)
    exact_sync(somewhere, chosen)
