"""A table that cannot be brought to a snapshot: what is told of it, what stands still with it, and that everything else goes on."""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import held_types, slot
from dagster_project.ingestion.errors import NoTableSynced, SyncError
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.sync import sync
from tests.databases import run
from tests.integration.ingestion.conftest import CONTRACT, Pair, failures

# Beside parent and child, which a foreign key ties together: two tables that none does.
MORE = {
    "lone": {"description": "Alone.", "key": ["id"], "columns": ["id", "v"]},
    "other": {"description": "Alone too.", "key": ["id"], "columns": ["id", "v"]},
}


def wider() -> SystemContract:
    document = CONTRACT.model_dump(by_alias=True)
    document["tables"] |= MORE
    return SystemContract.model_validate(document)


@pytest.fixture
def four(pair: Pair) -> Pair:
    """The pair with two more tables, synced once."""
    pair.at_source("create table lone (id integer primary key, v text); create table other (id integer primary key, v text)")
    pair.at_source("insert into lone values (1, 'a'); insert into other values (1, 'a')")
    if pair.capture == "cdc":
        slot.enable(wider().model_copy(update={"capture": "cdc"}), pair.source_url)
    pair.sync(wider())
    pair.sync(wider())
    return pair


def standing(pair: Pair) -> dict[str, object]:
    return dict(pair.in_warehouse("select table_name, stands_since from ops.standing_tables"))


def test_component_stands_still_and_others_go_on(four: Pair) -> None:
    everything = wider()
    held = four.in_warehouse("select child_id, value from raw_small.child order by 1")
    four.at_source("alter table parent rename column name to title; update child set value = 9; update lone set v = 'b'")
    result = four.sync(everything)
    assert [*failures(result)] == ["parent"]
    assert {one.table: one.failing for one in result.standing} == {"parent": ("parent",), "child": ("parent",)}
    assert four.in_warehouse("select child_id, value from raw_small.child order by 1") == held
    four.assert_equal(everything.only(["lone", "other"]))
    first = standing(four)
    assert first.keys() == {"parent", "child"}

    four.at_source("update other set v = 'c'")
    four.sync(everything)
    assert standing(four) == first
    four.assert_equal(everything.only(["lone", "other"]))

    four.at_source("alter table parent rename column title to name; update child set value = 10 where child_id = 1")
    assert four.sync(everything).standing == ()
    assert standing(four) == {}
    four.assert_equal(everything)
    # What was streamed while the component stood still is asked for by the horizon; from then on by the slot again.
    four.at_source("update parent set name = 'after' where parent_id = 1")
    four.sync(everything)
    four.assert_equal(everything)


def test_new_table_that_fails_is_loaded_when_it_can_be(pair: Pair) -> None:
    pair.at_source("create table lone (id integer primary key, v text); insert into lone values (1, 'a')")
    pair.at_source("create table other (id integer primary key); insert into other values (1)")
    result = pair.sync(wider())
    assert [*failures(result)] == ["other"]
    assert pair.in_warehouse("select to_regclass('raw_small.other')::text") == [(None,)]
    pair.assert_equal(wider().only(["parent", "child", "lone"]))
    pair.at_source("alter table other add column v text default 'late'")
    assert pair.sync(wider()).standing == ()
    pair.assert_equal(wider())


def test_loaded_table_that_the_source_drops_before_it_is_adopted_fails_alone(pair: Pair) -> None:
    def die(event: SyncEvent) -> None:
        if event.stage is Stage.LOADED and event.table == "lone":
            raise KeyboardInterrupt

    pair.at_source("create table lone (id integer primary key, v text); insert into lone values (1, 'a')")
    pair.at_source("create table other (id integer primary key, v text); insert into other values (1, 'a')")
    with pytest.raises(KeyboardInterrupt):
        pair.sync(wider(), on_event=die)
    assert pair.in_warehouse("select to_regclass('loading_small.lone')::text") == [("loading_small.lone",)]
    pair.at_source("drop table lone")
    assert [*failures(pair.sync(wider()))] == ["lone"]
    pair.assert_equal(wider().only(["parent", "child", "other"]))


def test_locked_table_fails_alone(four: Pair) -> None:
    limits = CONTRACT.limits.model_copy(update={"lock_timeout_seconds": 0.1})
    four.at_source("update child set value = 11")
    with closing(psycopg2.connect(four.source_url)) as changing, changing.cursor() as cursor:
        cursor.execute("lock table lone in access exclusive mode")
        result = four.sync(wider().model_copy(update={"limits": limits}))
    assert "the source small, table lone: a table stayed locked for too long" in failures(result)["lone"]
    four.assert_equal()


def test_every_table_fails_for_its_own_reason(four: Pair) -> None:
    before = four.in_warehouse("select count(*) from ops.batches")
    four.at_source("alter schema public rename to elsewhere")
    with pytest.raises(NoTableSynced) as caught:
        four.sync(wider())
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"the source small, table {table}" for table in wider().tables]
    assert four.in_warehouse("select count(*) from ops.batches") == before
    assert standing(four).keys() == wider().tables.keys()


@pytest.fixture
def as_bytes(pair: Pair) -> Iterator[str]:
    """URL of a database that keeps texts as the bytes that they came in, whether they are any or not."""
    postgres = pair.source_url.replace(pair.source_url.partition("?")[0].rpartition("/")[2], "postgres")
    statement = "create database as_bytes encoding 'SQL_ASCII' locale 'C' template template0"
    with closing(psycopg2.connect(postgres)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)
        yield postgres.replace("/postgres?", "/as_bytes?")
        cursor.execute("drop database as_bytes with (force)")


ALONE = wider().only(["lone"])


def test_value_that_cannot_be_read_is_named_with_table_column_and_key(pair: Pair, as_bytes: str) -> None:
    run(as_bytes, "create table lone (id integer primary key, v text); insert into lone select n, 'a' from generate_series(1, 1000) as n")
    run(as_bytes, r"update lone set v = E'\xff' where id = 700; update lone set v = 'later' where id = 3")
    with pytest.raises(SyncError) as caught:
        sync(ALONE, as_bytes, pair.warehouse_url)
    assert str(caught.value) == 'the source small, table lone, column v, row id = 700: invalid byte sequence for encoding "UTF8": 0xff'


def test_value_that_the_warehouse_refuses_is_named_with_table_column_and_key(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the warehouse had said that it takes every value of this type in binary form, which it does not.
    monkeypatch.setattr(held_types, "_EVERYWHERE", ("integer", "tsquery"))
    pair.at_source("create table lone (id integer primary key, v tsquery); insert into lone values (3, 'a & b'), (1, 'a'), (2, '')")
    with pytest.raises(SyncError) as caught:
        sync(ALONE, pair.source_url, pair.warehouse_url)
    assert str(caught.value) == "the warehouse, table raw_small.lone, column v, row id = 2: malformed tsquery: operand not found"
