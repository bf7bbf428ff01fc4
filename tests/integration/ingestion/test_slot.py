"""The slot on real servers: what it says to have changed, which tables may be streamed, and how it is made and dropped.

The oracle is what the tests themselves wrote; nothing here knows of raw tables.
"""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import LogicalReplicationConnection

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import publication, slot
from dagster_project.ingestion.errors import AccessDenied, SourceNotSupported, SyncError
from dagster_project.ingestion.source import connect
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
create table awkward (
    mood mood, "The day" timestamptz, amount numeric, span interval, picture bytea, primary key (mood, "The day", amount, span, picture)
);
"""

_NEW_READER = ("drop role if exists reader", "create role reader login", "grant connect on database shop to reader")

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
        with connect(contract, self.url) as connection, connection.cursor() as cursor:
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


_UNSTREAMABLE = """
create table no_key (value text);
create table unlogged_one (id bigint primary key);
alter table unlogged_one set unlogged;
create table whole_rows (id bigint primary key, value text);
alter table whole_rows replica identity full;
create table by_index (id bigint primary key, value bigint not null unique);
alter table by_index replica identity using index by_index_value_key;
create table other_key (id bigint primary key, value bigint unique not null);
create table longer_key (id bigint, value bigint, primary key (id, value)) ;
create table no_primary (id bigint not null unique);
create table late (id bigint primary key deferrable);
create table made (source bigint, id bigint generated always as (source * 2) stored primary key);
create table including (id bigint, value bigint, primary key (id) include (value));
create view seen as select id from other_key;
create table parent (id bigint primary key);
create table child (primary key (id)) inherits (parent);
create table cut (id bigint primary key) partition by range (id);
create table cut_low partition of cut for values from (0) to (10);
create table cut_high partition of cut for values from (10) to (20) partition by range (id);
create table cut_highest partition of cut_high for values from (10) to (20);
alter table cut_highest replica identity full;
create table uncut (id bigint primary key) partition by range (id);
create table uncut_low partition of uncut for values from (0) to (10);
create foreign data wrapper nowhere;
create server far foreign data wrapper nowhere;
create foreign table abroad (id bigint) server far;
"""

REASONS = {
    "no_key": "it has no key",
    "unlogged_one": "it is not written to the log: unlogged or temporary",
    "whole_rows": "it has another replica identity than the default",
    "by_index": "it has another replica identity than the default",
    "other_key": "it has the primary key (id), the contract's is (value)",
    "longer_key": "it has the primary key (id, value), the contract's is (id)",
    "no_primary": "it has no primary key",
    "late": "it has a primary key that is checked late (deferrable)",
    "made": "it has the generated column id in its key",
    "including": None,
    "seen": "it is not an ordinary table",
    "parent": "child inherits from it without being a partition",
    "cut": "cut_highest has another replica identity than the default",
    "uncut": None,
    "uncut_low": "it is part of uncut, which is declared too",
    "abroad": "it is not an ordinary table",
    "missing": "there is no such table",
}


def test_what_cannot_be_streamed_is_told_with_its_reason(bare: Source) -> None:
    bare.run(_UNSTREAMABLE)
    keys = {table: ["value"] if table == "other_key" else [] if table == "no_key" else ["id"] for table in REASONS}
    assert bare.streamable(contract(keys)) == REASONS


def test_only_what_can_be_streamed_is_published_and_every_write_still_works(bare: Source) -> None:
    bare.run(_UNSTREAMABLE)
    kinds = contract({table: ["id"] for table in ("whole_rows", "late", "including", "cut", "uncut", "missing")})
    enabled = slot.enable(kinds, bare.url)
    assert {table for table, reason in enabled.tables.items() if reason is None} == {"including", "uncut"}
    assert set(bare.published(kinds)) == {"including", "uncut"}
    for table in ("whole_rows", "late", "including", "cut", "uncut"):
        bare.run(f"insert into {table} (id) values (15 - 10 * ('{table}' = 'uncut')::int)", f"update {table} set id = id + 1")
        bare.run(f"delete from {table}")
    assert bare.peek(kinds).keys == {"including": {("15",), ("16",)}, "uncut": {("5",), ("6",)}}


def test_tables_without_any_that_can_be_streamed_are_refused(bare: Source) -> None:
    bare.run("create table late (id bigint primary key deferrable)")
    with pytest.raises(SourceNotSupported, match=r"no table that can be streamed \(late: it has a primary key that is checked late"):
        slot.enable(contract({"late": ["id"]}), bare.url)
    assert bare.slot() is None


def test_enabling_twice_changes_nothing(source: Source) -> None:
    source.run("insert into plain values (1, 'x')")
    before, fingerprints = source.slot(), source.published()
    assert before is not None
    enabled = slot.enable(CONTRACT, source.url)
    assert not enabled.is_new
    assert enabled.slot.confirmed == before.confirmed
    assert enabled.tables == dict.fromkeys(KEYS)
    assert source.published() == fingerprints
    assert set(fingerprints) == set(KEYS)
    assert source.peek().keys == {"plain": {("1",)}}


@pytest.mark.parametrize(
    "change",
    [
        "alter publication runmart_shop drop table plain",
        "alter publication runmart_shop drop table plain; alter publication runmart_shop add table plain",
        "alter publication runmart_shop drop table plain; alter publication runmart_shop add table plain (id) where (id > 5)",
        "alter publication runmart_shop set (publish = 'insert')",
        "alter publication runmart_shop add table extra (id)",
        "drop publication runmart_shop",
    ],
)
def test_changed_publication_is_noticed_and_made_anew_with_its_slot(source: Source, change: str) -> None:
    source.run("create table extra (id bigint primary key)")
    before, fingerprints = source.slot(), source.published()
    source.run(*change.split("; "))
    assert ("plain" in source.published()) == ("extra" in change)
    enabled = slot.enable(CONTRACT, source.url)
    assert enabled.is_new
    assert before is not None
    assert enabled.slot.confirmed != before.confirmed
    assert set(source.published()) == set(KEYS)
    assert source.published()["plain"] != fingerprints["plain"]


def test_membership_that_was_made_anew_has_another_fingerprint(source: Source) -> None:
    before = source.published()
    source.run("alter publication runmart_shop drop table plain")
    source.run("alter publication runmart_shop add table plain (id)")
    after = source.published()
    assert {table for table in before if before[table] != after[table]} == {"plain"}
    source.run("alter publication runmart_shop set (publish = 'insert, update, delete')")
    source.run("alter publication runmart_shop set (publish = 'insert, update, delete, truncate')")
    assert all(source.published()[table] != after[table] for table in KEYS)


def test_table_below_a_published_one_is_not_published_by_itself(source: Source) -> None:
    leaf = contract({"places_north": ["id", "region"]})
    assert source.streamable(leaf) == {"places_north": None}
    source.run("alter publication runmart_shop add table places_north (id, region)")
    assert source.published(leaf) == {}


def test_changed_contract_is_followed(source: Source) -> None:
    fewer = contract({"plain": ["id"]})
    assert slot.enable(fewer, source.url).is_new
    assert set(source.published()) == {"plain"}
    source.run("insert into composite values (1, 'x', 'x')", "insert into plain values (1, 'x')")
    assert source.peek(fewer).keys == {"plain": {("1",)}}


def test_disabling_leaves_nothing_and_may_be_repeated(source: Source) -> None:
    assert slot.disable(CONTRACT, source.url)
    assert source.run("select slot_name::text from pg_replication_slots union all select pubname from pg_publication") == []
    assert not slot.disable(CONTRACT, source.url)
    assert slot.enable(CONTRACT, source.url).is_new


def test_system_on_horizon_is_not_enabled_but_can_be_disabled(source: Source) -> None:
    horizon = contract(capture="horizon")
    with pytest.raises(SourceNotSupported, match="say `capture: cdc` first"):
        slot.enable(horizon, source.url)
    assert slot.disable(horizon, source.url)


def test_owner_is_told_what_to_run(bare: Source) -> None:
    bare.run(_TABLES, *_NEW_READER, "grant select on all tables in schema public to reader")
    url = bare.server.url("shop", "reader")
    with pytest.raises(AccessDenied, match="let the owner of its tables run this and repeat") as denied:
        slot.enable(CONTRACT, url)
    assert bare.slot() is None
    bare.run(*(line.strip() for line in str(denied.value).splitlines()[1:]))
    enabled = slot.enable(CONTRACT, url)
    assert enabled.is_new
    bare.run("insert into plain values (1, 'x')")
    with bare.cursor(url) as cursor:
        assert slot.peek(cursor, CONTRACT, bare.here(), 10).keys == {"plain": {("1",)}}
        slot.advance(cursor, NAME, bare.here())
    with pytest.raises(AccessDenied, match="drop publication") as denied:
        slot.disable(CONTRACT, url)
    assert bare.slot() is None
    bare.run(*(line.strip() for line in str(denied.value).splitlines()[1:]))
    assert not slot.disable(CONTRACT, url)


def test_right_to_replicate_is_asked_for_alone(source: Source) -> None:
    source.run(*_NEW_READER)
    with pytest.raises(AccessDenied, match=r'run this and repeat:\n  alter role "reader" replication;$'):
        slot.disable(CONTRACT, source.server.url("shop", "reader"))
    with source.cursor(source.server.url("shop", "reader")) as cursor, pytest.raises(AccessDenied, match='alter role "reader" replication'):
        slot.drop_if_over(cursor, CONTRACT, -1)
    assert source.slot() is not None


def test_no_free_slot_is_one_clear_line(bare: Source) -> None:
    bare.run(_TABLES)
    for number in (1, 2):
        bare.run(f"select pg_create_logical_replication_slot('other_{number}', 'pgoutput')")
    with pytest.raises(SyncError, match="has no free replication slot; raise max_replication_slots"):
        slot.enable(CONTRACT, bare.url)


def test_slot_in_use_is_one_clear_line(source: Source) -> None:
    with closing(psycopg2.connect(source.url, connection_factory=LogicalReplicationConnection)) as connection:
        options = {"proto_version": "1", "publication_names": NAME}
        connection.cursor().start_replication(NAME, decode=False, options=options)
        used = source.slot()
        assert used is not None
        assert used.active_pid == connection.info.backend_pid
        with pytest.raises(SyncError, match=rf"process {used.active_pid} uses the slot {NAME}, .*repeat"):
            slot.disable(CONTRACT, source.url)
        assert source.slot() is not None


def test_slot_of_another_database_is_not_touched(source: Source, own_server: EmbeddedServer) -> None:
    other = own_server.url("postgres")
    with source.cursor(other) as cursor:
        seen = slot.read_slot(cursor, NAME)
        assert seen is not None
        assert not seen.is_usable
        with pytest.raises(SyncError, match=f"the slot {NAME} belongs to shop"):
            slot.drop_if_over(cursor, CONTRACT, -1)
    with pytest.raises(SyncError, match=f"the slot {NAME} belongs to shop"):
        slot.disable(CONTRACT, other)
    assert source.slot() is not None


def test_lost_slot_is_seen_and_made_anew(source: Source) -> None:
    usable = source.slot()
    assert usable is not None
    assert usable.is_usable
    assert usable.plugin == "pgoutput"
    write_log(source, megabytes=96)
    source.run("checkpoint")
    lost = source.slot()
    assert lost is not None
    assert (lost.wal_status, lost.is_usable, lost.retained_bytes) == ("lost", False, 0)
    with source.cursor() as cursor:
        slot.advance(cursor, NAME, source.here())
    assert slot.enable(CONTRACT, source.url).is_new
    source.run("insert into plain values (1, 'x')")
    assert source.peek().keys == {"plain": {("1",)}}


def test_slot_with_another_plugin_is_not_usable(bare: Source) -> None:
    bare.run(_TABLES)
    bare.run(f"select pg_create_physical_replication_slot('{NAME}')")
    physical = bare.slot()
    assert physical is not None
    assert not physical.is_usable
    bare.run(f"select pg_drop_replication_slot('{NAME}')")


def test_slot_over_its_limit_is_dropped_and_no_other(source: Source) -> None:
    first = source.slot()
    assert first is not None
    write_log(source, megabytes=32)
    held = source.slot()
    assert held is not None
    assert held.retained_bytes - first.retained_bytes > 16 * 2**20
    assert held.lag_bytes <= held.retained_bytes
    with source.cursor() as cursor:
        assert slot.drop_if_over(cursor, CONTRACT, held.retained_bytes + 2**20) is None
        assert source.slot() is not None
        dropped = slot.drop_if_over(cursor, CONTRACT, held.retained_bytes - 1)
        assert dropped is not None
        assert dropped.name == NAME
        assert slot.drop_if_over(cursor, CONTRACT, 0) is None
    assert source.slot() is None


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("plain", "alter table plain replica identity full", "it has another replica identity than the default"),
        ("plain", "alter table plain drop constraint plain_pkey", "it has no primary key"),
        ("places", "alter table places_south replica identity full", "places_south has another replica identity than the default"),
        ("places", "alter table places drop constraint places_pkey", "it has no primary key"),
    ],
)
def test_table_whose_rows_could_no_longer_be_updated_is_withdrawn(source: Source, table: str, change: str, reason: str) -> None:
    source.run("insert into plain values (1, 'x')", "insert into places values (1, 'south', 'x')", change)
    with pytest.raises(psycopg2.Error, match="replica identity"):
        source.run(f"update {table} set value = 'y'")
    with source.cursor() as cursor:
        assert slot.withdraw(cursor, CONTRACT) == {table: reason}
        assert slot.withdraw(cursor, CONTRACT) == {}
    source.run(f"update {table} set value = 'y'")
    assert set(source.published()) == set(KEYS) - {table}


def test_open_transaction_that_does_not_end_is_one_clear_line(bare: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    bare.run(_TABLES)
    monkeypatch.setattr(slot, "_CREATION_TIMEOUT", "200ms")
    with closing(psycopg2.connect(bare.url)) as connection, connection.cursor() as cursor:
        cursor.execute("insert into plain values (1, 'open')")
        with pytest.raises(SyncError, match="all open transactions have ended, and some did not within 200ms"):
            slot.enable(CONTRACT, bare.url)
    assert bare.slot() is None
    assert slot.enable(CONTRACT, bare.url).is_new


def test_table_that_stays_locked_is_one_clear_line(bare: Source) -> None:
    bare.run(_TABLES)
    with closing(psycopg2.connect(bare.url)) as connection, connection.cursor() as cursor:
        cursor.execute("lock table plain")
        with pytest.raises(SyncError, match="locked for too long"):
            slot.enable(contract(lock_timeout_seconds=0.1), bare.url)


def test_server_that_cannot_stream_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("postgres") / "data"
    server = EmbeddedServer(folder, {"wal_level": "replica", "shared_buffers": "'16MB'", "fsync": "off"})
    server.start()
    url = server.url("postgres")
    with pytest.raises(SourceNotSupported, match=r"has wal_level = replica; set it to logical .* restart the server"):
        slot.enable(CONTRACT, url)
    server.stop()
    (folder / "standby.signal").touch()
    server.start()
    try:
        with pytest.raises(SourceNotSupported, match="is a standby; give the URL of its primary"):
            slot.enable(CONTRACT, url)
    finally:
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("select pg_promote()")
        server.stop()


def write_log(source: Source, megabytes: int) -> None:
    """Let the server go on to later files of its log, of 16 MB each."""
    for _ in range(megabytes // 16):
        source.run("select pg_logical_emit_message(false, 'test', 'fill')", "select pg_switch_wal()")


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
