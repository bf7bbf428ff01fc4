"""What happens to whole servers: crashes, restores, failovers, standbys, databases that change places, transaction ids that come round."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import slot
from dagster_project.ingestion.errors import SyncError
from dagster_project.ingestion.events import Stage
from tests.integration.capture.judge import during, exact_sync
from tests.integration.capture.oracle import compare, raw_contents, source_contents
from tests.integration.capture.places import Place
from tests.integration.capture.servers import Server
from tests.integration.capture.tables import contract
from tests.integration.capture.writers import fill
from tests.waiting import until

BOTH = pytest.mark.parametrize("capture", ["horizon", "cdc"])


def prepare(place: Place, capture: str) -> SystemContract:
    chosen = contract("cdc" if capture == "cdc" else "horizon")
    fill(place.source_url, "before", 40)
    if capture == "cdc":
        slot.enable(chosen, place.source_url)
    exact_sync(place, chosen)
    return chosen


@BOTH
def test_crash_of_the_source_takes_nothing_back_that_was_copied(capture: str, somewhere: Place) -> None:
    chosen = prepare(somewhere, capture)
    for turn in range(2):
        fill(somewhere.source_url, f"turn {turn}", 10)
        exact_sync(somewhere, chosen)
        crash(somewhere.source_server)
        assert compare(source_contents(somewhere.source_url, chosen), raw_contents(somewhere.warehouse_url, chosen)).total == 0
        fill(somewhere.source_url, f"turn {turn} again", 10)
        exact_sync(somewhere, chosen)


@BOTH
def test_crash_of_the_warehouse(capture: str, somewhere: Place) -> None:
    """What was committed is on its disk, although it is set to take its time; else the slot would be ahead of it."""
    chosen = prepare(somewhere, capture)
    for stage in (Stage.APPLIED, Stage.COMMITTED, Stage.ACKNOWLEDGED):
        fill(somewhere.source_url, f"before {stage}", 15)
        before = raw_contents(somewhere.warehouse_url, chosen)
        with suppress(SyncError):
            exact_sync(somewhere, chosen, during(stage, partial(crash, somewhere.warehouse_server)))
        expected = before if stage is Stage.APPLIED else source_contents(somewhere.source_url, chosen)
        assert compare(expected, raw_contents(somewhere.warehouse_url, chosen)).total == 0, stage
        exact_sync(somewhere, chosen)


def crash(server: Server) -> None:
    server.crash()
    server.start()


@BOTH
def test_lost_connections(capture: str, somewhere: Place) -> None:
    chosen = prepare(somewhere, capture)
    fill(somewhere.source_url, "more", 15)
    for server in (somewhere.source_server, somewhere.warehouse_server):
        with pytest.raises(SyncError):
            exact_sync(somewhere, chosen, during(Stage.APPLIED, partial(lose_connections, server)))
    exact_sync(somewhere, chosen)


def lose_connections(server: Server) -> None:
    server.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'runmart%'")


@BOTH
def test_warehouse_restored_from_an_older_backup(capture: str, somewhere: Place) -> None:
    chosen = prepare(somewhere, capture)
    backup = f"{somewhere.warehouse}_backup"
    somewhere.warehouse_server.execute(f"create database {backup} template {somewhere.warehouse}")
    for turn in range(2):
        fill(somewhere.source_url, f"turn {turn}", 15)
        exact_sync(somewhere, chosen)
    somewhere.warehouse_server.execute(f"drop database {somewhere.warehouse} with (force)")
    somewhere.warehouse_server.execute(f"alter database {backup} rename to {somewhere.warehouse}")
    exact_sync(somewhere, chosen)
    fill(somewhere.source_url, "last", 15)
    exact_sync(somewhere, chosen)


@pytest.fixture
def own(tmp_path: Path, capture_servers: tuple[Server, Server], somewhere: Place) -> Iterator[Place]:
    """A place whose source server is a copy of the common one, to be set back and replaced."""
    common = capture_servers[0]
    server = Server(tmp_path / "source")
    common.copy_to(server.folder)
    server.start()
    yield Place(server, somewhere.warehouse_server, somewhere.source, somewhere.warehouse)
    server.stop()


@BOTH
@pytest.mark.parametrize("transactions", [pytest.param(5, id="before_the_old_position"), pytest.param(300, id="past_the_old_position")])
def test_source_restored_to_an_older_point(capture: str, transactions: int, own: Place, tmp_path: Path) -> None:
    """Set back to a copy of its files, it is the same server on the same timeline."""
    fill(own.source_url, "before", 20)
    own.source_server.copy_to(tmp_path / "backup")
    chosen = prepare(own, capture)
    fill(own.source_url, "forgotten", 20)
    exact_sync(own, chosen)
    own.source_server.go_back_to(tmp_path / "backup")
    fill(own.source_url, "instead", transactions)
    exact_sync(own, chosen)
    fill(own.source_url, "after", 10)
    exact_sync(own, chosen)


@pytest.mark.parametrize(("capture", "is_behind"), [("horizon", False), ("horizon", True), ("cdc", True)])
def test_failover_to_a_promoted_standby(capture: str, is_behind: bool, own: Place, tmp_path: Path) -> None:
    chosen = prepare(own, capture)
    standby = own.source_server.make_standby(tmp_path / "standby")
    try:
        if is_behind:
            standby.execute("alter system set primary_conninfo = ''")
            standby.execute("select pg_reload_conf()")
            until(lambda: own.source_server.execute("select count(*) from pg_stat_replication") == [(0,)])
            fill(own.source_url, "only here", 20)
            exact_sync(own, chosen)
        own.source_server.crash()
        standby.promote()
        promoted = Place(standby, own.warehouse_server, own.source, own.warehouse)
        fill(promoted.source_url, "only there", 20)
        exact_sync(promoted, chosen)
        fill(promoted.source_url, "later", 10)
        exact_sync(promoted, chosen)
    finally:
        standby.stop()


def test_standby_as_source_that_falls_behind_and_catches_up(own: Place, tmp_path: Path) -> None:
    chosen = contract("horizon")
    fill(own.source_url, "before", 40)
    standby = own.source_server.make_standby(tmp_path / "standby")
    try:
        url = standby.url(own.source)
        catch_up(own.source_server, standby)
        exact_sync(own, chosen, source_url=url)
        standby.execute("select pg_wal_replay_pause()")
        fill(own.source_url, "ahead", 30)
        exact_sync(own, chosen)
        exact_sync(own, chosen, source_url=url)
        standby.execute("select pg_wal_replay_resume()")
        catch_up(own.source_server, standby)
        exact_sync(own, chosen, source_url=url)
        own.at_source("begin; update account set size = 3; prepare transaction 'held'")
        fill(own.source_url, "beside", 20)
        catch_up(own.source_server, standby)
        exact_sync(own, chosen, source_url=url)
        own.at_source("commit prepared 'held'")
        catch_up(own.source_server, standby)
        exact_sync(own, chosen, source_url=url)
    finally:
        standby.stop()


def catch_up(primary: Server, standby: Server) -> None:
    """Wait until a standby shows what its primary does."""
    ((position,),) = primary.execute("select pg_switch_wal()")
    until(lambda: standby.execute(f"select pg_last_wal_replay_lsn() >= '{position}'") == [(True,)])


@pytest.mark.parametrize(("capture", "jumps"), [("horizon", 1), ("horizon", 2), ("cdc", 1)])
def test_transaction_ids_come_round(capture: str, jumps: int, own: Place) -> None:
    """Each jump is a quarter of all numbers: two are more than a row's age can tell."""
    chosen = prepare(own, capture)
    for _ in range(jumps):
        jump(own)
    for turn in range(2):
        fill(own.source_url, f"turn {turn}", 15)
        exact_sync(own, chosen)


def jump(place: Place) -> None:
    """Advance the counter of transactions by 2^30; every row is frozen before, as the server sees to itself."""
    server = place.source_server
    server.execute("update pg_database set datallowconn = true")
    for (database,) in server.execute("select datname from pg_database"):
        server.execute("vacuum (freeze)", str(database))
    server.execute("checkpoint")
    ((now,),) = server.execute("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    server.stop()
    # Its page of the commit log has to be there; the first three numbers are no transactions.
    target = (int(str(now)) + 2**30) // 2**20 * 2**20 + 3
    server.run("pg_resetwal", "-D", ".", "-e", str(target // 2**32), "-x", str(target % 2**32))
    page = server.folder / "pg_xact" / f"{target % 2**32 // 2**20:04X}"
    page.write_bytes(bytes(2**18))
    shutil.chown(page, server.folder.owner(), server.folder.group())
    server.start()


@BOTH
def test_crash_takes_back_a_transaction_of_another_table_and_its_number_is_given_again(capture: str, somewhere: Place) -> None:
    somewhere.at_source("create table undeclared (id bigint)")
    chosen = prepare(somewhere, capture)
    somewhere.at_source("checkpoint")
    somewhere.at_source("insert into undeclared values (1)")
    exact_sync(somewhere, chosen)
    somewhere.source_server.crash()
    somewhere.source_server.start()
    somewhere.at_source("set synchronous_commit = on; update account set size = 4242 where account_id % 2 = 0")
    exact_sync(somewhere, chosen)


@BOTH
def test_unlogged_table_is_emptied_by_a_crash(capture: str, somewhere: Place) -> None:
    somewhere.at_source("alter table setting set unlogged")
    chosen = prepare(somewhere, capture)
    somewhere.at_source("insert into setting (name) values ('gone after a crash')")
    exact_sync(somewhere, chosen)
    exact_sync(somewhere, chosen)
    assert somewhere.in_warehouse("select count(*) > 0 from raw_awkward.setting") == [(True,)]
    somewhere.source_server.crash()
    somewhere.source_server.start()
    exact_sync(somewhere, chosen)
    assert somewhere.in_warehouse("select count(*) from raw_awkward.setting where _deleted_at is null") == [(0,)]


@BOTH
def test_database_changes_places_with_an_older_copy(capture: str, somewhere: Place) -> None:
    """A copy within one server has the same identifiers of server, tables and files, and transactions of the same count."""
    fill(somewhere.source_url, "before", 40)
    copy = f"{somewhere.source}_copy"
    somewhere.source_server.execute(f"create database {copy} template {somewhere.source}")
    chosen = prepare(somewhere, capture)
    other = Place(somewhere.source_server, somewhere.warehouse_server, copy, somewhere.warehouse)
    other.at_source("update account set size = 1; update ledger set delta = 0")
    fill(somewhere.source_url, "both", 15)
    exact_sync(somewhere, chosen)
    if capture == "cdc":
        slot.disable(chosen, somewhere.source_url)
    somewhere.source_server.execute(f"alter database {somewhere.source} rename to {copy}_old")
    somewhere.source_server.execute(f"alter database {copy} rename to {somewhere.source}")
    exact_sync(somewhere, chosen)
    somewhere.source_server.execute(f"drop database {copy}_old with (force)")
