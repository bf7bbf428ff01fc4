"""The slot on real servers: what it says to have changed, which tables may be streamed, and how it is made and dropped.

The oracle is what the tests themselves wrote; nothing here knows of raw tables.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest
from psycopg2 import errors
from psycopg2.extensions import cursor as Cursor

from dagster_project.components.contract import SystemContract
from dagster_project.ingestion import publication, slot
from dagster_project.ingestion.errors import AccessDenied, SourceNotSupported, SyncError
from dagster_project.resources.embedded import EmbeddedServer

NAME = "runmart_shop"

_TABLES = """
create table plain (id bigint primary key, value text);
create table composite (a integer, b text, value text, primary key (b, a));
create table places (id integer, region text, value text, primary key (region, id)) partition by list (region);
create table places_north partition of places for values in ('north');
create table places_south (value text, region text not null, id integer not null, dropped text);
alter table places_south drop column dropped, add primary key (region, id);
alter table places attach partition places_south for values in ('south');
create type mood as enum ('calm', 'wild');
create table awkward (mood mood, "The day" timestamptz, amount numeric, span interval, picture bytea, primary key (mood, "The day", amount, span, picture));
"""

KEYS = {
    "plain": ["id"],
    "composite": ["a", "b"],
    "places": ["id", "region"],
    "awkward": ["mood", "The day", "amount", "span", "picture"],
}


def contract(keys: dict[str, list[str]] | None = None, capture: str = "cdc", system: str = "shop", **limits: float) -> SystemContract:
    return SystemContract.model_validate(
        {
            "system": system,
            "description": "A source made for tests.",
            "capture": capture,
            "limits": limits,
            "freshness": {"warn_after_hours": 1, "error_after_hours": 2},
            "tables": {
                table: {"description": "Rows.", "key": key, "columns": key or ["value"], "without_key": "reject" if key else "replace"}
                for table, key in (KEYS if keys is None else keys).items()
            },
        }
    )


CONTRACT = contract()


@dataclass(frozen=True)
class Source:
    """A database of its own on a server of some version."""

    server: EmbeddedServer
    database: str

    @property
    def url(self) -> str:
        return self.server.url(self.database)

    @contextmanager
    def cursor(self, url: str | None = None) -> Iterator[Cursor]:
        """A cursor in autocommit mode."""
        with closing(psycopg2.connect(url or self.url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in one transaction; the rows of the last one."""
        with closing(psycopg2.connect(self.url)) as connection, connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def here(self) -> str:
        """A position behind everything that was committed so far, flushed."""
        return str(self.run("select pg_logical_emit_message(true, 'test', 'flush')", "select pg_current_wal_insert_lsn()")[0][0])

    def snapshot(self) -> str:
        return str(self.run("select pg_current_snapshot()::text")[0][0])

    def peek(self, contract: SystemContract = CONTRACT, max_keys: int = 1000, upto: str | None = None) -> slot.Changes:
        with self.cursor() as cursor:
            return slot.peek(cursor, contract, upto or self.here(), max_keys)

    def slot(self, name: str = NAME) -> slot.Slot | None:
        with self.cursor() as cursor:
            return slot.read_slot(cursor, name)

    def streamable(self, contract: SystemContract) -> dict[str, str | None]:
        with self.cursor() as cursor:
            return publication.streamable(cursor, contract)

    def published(self, contract: SystemContract = CONTRACT) -> dict[str, str]:
        with self.cursor() as cursor:
            return publication.published(cursor, contract, NAME)


@pytest.fixture(scope="module", params=[18, 16])
def own_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server with few slots, whose log wraps early."""
    settings = {
        "fsync": "off",
        "shared_buffers": "'16MB'",
        "max_replication_slots": "2",
        "max_slot_wal_keep_size": "'32MB'",
        "max_wal_size": "'32MB'",
        "min_wal_size": "'32MB'",
        "max_prepared_transactions": "5",
        "autovacuum": "off",
    }
    server = EmbeddedServer(tmp_path_factory.mktemp("postgres") / "data", settings, version=request.param)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bare(own_server: EmbeddedServer) -> Iterator[Source]:
    """An empty database, which takes its slots along when it is dropped."""
    own_server.ensure_database("shop")
    yield Source(own_server, "shop")
    with closing(psycopg2.connect(own_server.url("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("drop database shop with (force)")


@pytest.fixture
def source(bare: Source) -> Source:
    """A database with tables and a slot."""
    bare.run(_TABLES)
    slot.enable(CONTRACT, bare.url)
    return bare


def test_every_written_key_is_in_the_stream(source: Source) -> None:
    source.run("insert into plain select n, 'x' from generate_series(1, 5) as n")
    source.run("update plain set value = 'y' where id = 2", "delete from plain where id = 3")
    source.run("update plain set id = 40 where id = 4")
    source.run("insert into composite values (1, 'one', null), (2, 'it''s, \"two\" \\ {}', null), (3, '', null), (4, 'ü\n\t', null)")
    changes = source.peek()
    assert changes.keys == {
        "plain": {("1",), ("2",), ("3",), ("4",), ("40",), ("5",)},
        "composite": {("1", "one"), ("2", 'it\'s, "two" \\ {}'), ("3", ""), ("4", "ü\n\t")},
    }
    assert changes.unknown == frozenset()
    assert len(changes.transactions) == 4


def test_a_change_outside_the_key_is_in_the_stream(source: Source) -> None:
    source.run("insert into plain values (1, 'before')")
    acknowledge(source)
    source.run("update plain set value = 'after'")
    assert source.peek().keys == {"plain": {("1",)}}


def test_partitions_speak_for_their_table(source: Source) -> None:
    source.run("insert into places values (1, 'north', 'x'), (2, 'south', 'x')", "insert into places_south values ('x', 'south', 3)")
    acknowledge(source)
    source.run("update places set region = 'south' where id = 1", "update places_south set value = 'y' where id = 2")
    source.run("create table places_east (like places including all)", "insert into places_east values (9, 'east', 'unseen')")
    source.run("alter table places attach partition places_east for values in ('east')", "insert into places values (4, 'east', 'x')")
    assert source.peek().keys == {"places": {("1", "north"), ("1", "south"), ("2", "south"), ("4", "east")}}


def test_keys_come_back_as_what_they_were(source: Source) -> None:
    source.run("alter database shop set datestyle = 'SQL, DMY'", "alter database shop set timezone = 'Asia/Tokyo'")
    source.run("alter database shop set intervalstyle = 'sql_standard'", "alter database shop set bytea_output = 'escape'")
    source.run(
        "insert into awkward values ('wild', '2024-02-03 04:05:06.789+09', 1.500, '1 mon -2 days 03:04:05.6', '\\x00ff5c'), "
        "('calm', 'infinity', 'NaN', '-1 year', '')"
    )
    keys = source.peek().keys["awkward"]
    assert len(keys) == 2
    for key in keys:
        with source.cursor() as cursor:
            cursor.execute("set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'")
            cursor.execute(
                'select count(*) from awkward where (mood, "The day", amount, span, picture) = '
                "(%s::mood, %s::timestamptz, %s::numeric, %s::interval, %s::bytea)",
                key,
            )
            assert cursor.fetchone() == (1,)


def test_what_was_rolled_back_is_not_in_the_stream(source: Source) -> None:
    with closing(psycopg2.connect(source.url)) as connection, connection.cursor() as cursor:
        cursor.execute("insert into plain values (1, 'x')")
        connection.rollback()
        cursor.execute("insert into plain values (2, 'x'); savepoint inner_one; insert into plain values (3, 'x')")
        cursor.execute("rollback to inner_one; insert into plain values (4, 'x')")
        connection.commit()
    assert source.peek().keys == {"plain": {("2",), ("4",)}}


def test_a_prepared_transaction_arrives_when_it_is_committed(source: Source) -> None:
    source.run("insert into plain values (1, 'x')", "prepare transaction 'waiting'")
    assert source.peek().keys == {}
    with source.cursor() as cursor:
        cursor.execute("commit prepared 'waiting'")
    changes = source.peek()
    assert changes.keys == {"plain": {("1",)}}
    assert slot.acknowledgeable(changes, source.snapshot(), "F/0") == "F/0"


def test_truncated_table_is_unknown_and_no_other(source: Source) -> None:
    source.run("insert into plain values (1, 'x')", "insert into places values (1, 'north', 'x')")
    source.run("truncate plain")
    changes = source.peek()
    assert changes.unknown == {"plain"}
    assert changes.keys == {"places": {("1", "north")}}


def test_table_with_too_many_keys_is_unknown(source: Source) -> None:
    source.run("insert into plain select n, 'x' from generate_series(1, 11) as n")
    source.run("insert into composite select n, 'x', 'x' from generate_series(1, 10) as n")
    changes = source.peek(max_keys=10)
    assert changes.unknown == {"plain"}
    assert len(changes.keys["composite"]) == 10


def test_key_kept_out_of_line_is_not_lost(source: Source) -> None:
    source.run("alter table composite alter b set storage external")
    long = "0123456789" * 250
    source.run(f"insert into composite values (1, '{long}', 'before')")
    toast = source.run("select reltoastrelid::regclass::text from pg_class where relname = 'composite'")[0][0]
    assert source.run(f"select count(*) > 0 from {toast}") == [(True,)]
    acknowledge(source)
    source.run("update composite set value = 'after'")
    assert source.peek().keys == {"composite": {("1", long)}}


def test_renamed_key_column_is_unknown_until_it_is_read(source: Source) -> None:
    source.run("insert into plain values (1, 'x')")
    source.run("alter table plain rename id to number")
    renamed = contract({**KEYS, "plain": ["number"]})
    assert source.peek(renamed).unknown == {"plain"}


def test_renamed_table_is_still_the_same(source: Source) -> None:
    source.run("alter table plain rename to passing", "insert into passing values (1, 'x')")
    source.run("alter table passing rename to plain")
    assert source.peek().keys == {"plain": {("1",)}}


def test_peeking_changes_nothing_and_ends_at_its_position(source: Source) -> None:
    source.run("insert into plain values (1, 'x')")
    between = source.here()
    source.run("insert into plain values (2, 'x')")
    assert source.peek(upto=between).keys == source.peek(upto=between).keys == {"plain": {("1",)}}
    assert source.peek().keys == {"plain": {("1",), ("2",)}}


def test_acknowledged_changes_do_not_come_again(source: Source) -> None:
    source.run("insert into plain values (1, 'x')")
    first = source.here()
    source.run("insert into plain values (2, 'x')")
    second = source.here()
    with source.cursor() as cursor:
        slot.advance(cursor, NAME, first)
        assert source.peek().keys == {"plain": {("2",)}}
        slot.advance(cursor, NAME, second)
        confirmed = source.slot()
        slot.advance(cursor, NAME, first)
        slot.advance(cursor, "runmart_nothing", second)
    after = source.slot()
    assert after is not None
    assert confirmed is not None
    assert after.confirmed == confirmed.confirmed
    assert source.peek().keys == {}


def test_a_prefix_is_acknowledged_to_the_transaction(source: Source) -> None:
    for number in (1, 2, 3):
        source.run(f"insert into plain values ({number}, 'x')")
    ends = [end for _, end in source.peek().transactions]
    with source.cursor() as cursor:
        for end, left in zip(ends, [{("2",), ("3",)}, {("3",)}, None], strict=True):
            slot.advance(cursor, NAME, end)
            assert source.peek().keys == ({"plain": left} if left else {})


def test_what_is_decoded_before_it_is_visible_is_not_acknowledged(source: Source) -> None:
    source.run("insert into plain values (1, 'x')")
    end = source.peek().transactions[-1][1]
    with source.cursor() as admin:
        admin.execute("alter system set synchronous_standby_names = 'ghost'")
        admin.execute("select pg_reload_conf()")
    waiting = closing(psycopg2.connect(source.url))
    with waiting as connection, connection.cursor() as cursor:
        cursor.execute("set synchronous_commit = on; insert into plain values (2, 'x'); select pg_backend_pid()")
        (pid,) = cursor.fetchone() or (0,)
        commit = threading.Thread(target=connection.commit)
        commit.start()
        try:
            wait_for_standby(source, pid)
            with source.cursor() as quick:
                quick.execute("set synchronous_commit = local; insert into plain values (3, 'x')")
                quick.execute("select pg_current_snapshot()::text, pg_current_wal_insert_lsn()")
                snapshot, here = quick.fetchone() or ("", "")
                changes = slot.peek(quick, CONTRACT, here, 1000)
                assert changes.keys == {"plain": {("1",), ("2",), ("3",)}}
                quick.execute("select count(*) from plain")
                assert quick.fetchone() == (2,)
            assert slot.acknowledgeable(changes, snapshot, here) == end
        finally:
            with source.cursor() as admin:
                admin.execute("alter system reset synchronous_standby_names")
                admin.execute("select pg_reload_conf()")
            commit.join()
    assert slot.acknowledgeable(changes, source.snapshot(), here) == here


def acknowledge(source: Source) -> None:
    with source.cursor() as cursor:
        slot.advance(cursor, NAME, source.here())


def wait_for_standby(source: Source, pid: int) -> None:
    """Until a process waits for a standby with its commit."""
    with source.cursor() as cursor:
        cursor.execute("set statement_timeout = '30s'")
        cursor.execute(
            """
            do $$ begin
                while not exists (select from pg_stat_activity where pid = %s and wait_event = 'SyncRep') loop
                    perform pg_stat_clear_snapshot(), pg_sleep(0.01);
                end loop;
            end $$
            """,
            (pid,),
        )
