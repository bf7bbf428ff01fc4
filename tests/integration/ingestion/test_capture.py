"""What each capture mode must notice although no row, or no visible row, was written; and when change data capture falls back."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import slot
from dagster_project.ingestion.errors import SchemaDrift
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.sync import SyncResult
from dagster_project.quality.quarantine import bring_up_to_date
from tests.databases import wait_for_earlier_transactions
from tests.failing_rows import failing, suite_of
from tests.integration.ingestion.conftest import CONTRACT, Pair, failures

WITH_SLOT = pytest.mark.parametrize("pair", ["cdc"], indirect=True)
WITHOUT_SLOT = pytest.mark.parametrize("pair", ["horizon"], indirect=True)


def found_by(result: SyncResult) -> dict[str, str]:
    return {table.table: table.found_by for table in result.tables}


def with_table(name: str, **declared: object) -> SystemContract:
    """The small system with one more table."""
    document = CONTRACT.model_dump(by_alias=True)
    document["tables"][name] = {"description": "More.", **declared}
    return SystemContract.model_validate(document)


@contextmanager
def open_transaction(url: str) -> Iterator[psycopg2.extensions.cursor]:
    """A cursor in a transaction that ends when the test says so."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        yield cursor
        connection.commit()


def test_transaction_that_outlives_two_syncs_arrives_with_the_third(pair: Pair) -> None:
    pair.sync()
    with open_transaction(pair.source_url) as late:
        late.execute("insert into parent values (100, 'late', null, null); delete from child where child_id = 1")
        pair.at_source("insert into parent values (200, 'early', null, null)")
        pair.sync()
        pair.assert_equal()
        pair.sync()
        pair.assert_equal()
    pair.sync()
    pair.assert_equal()


@WITHOUT_SLOT
@pytest.mark.parametrize("transactions", [1, 16, 17, 60])
def test_rows_of_all_transactions_since_arrive_and_no_others_are_read(pair: Pair, transactions: int) -> None:
    """Few transactions are named, of many the age is asked."""
    pair.sync()
    wait_for_earlier_transactions(pair.source_url)
    pair.sync()
    for number in range(transactions):
        pair.at_source(f"insert into parent values ({1000 + number}, 'one more', null, null)")
    pair.at_source("delete from child where child_id = 1")
    result = pair.sync()
    pair.assert_equal()
    read = {table.table: table.rows_read for table in result.tables}
    assert read["parent"] == transactions


def test_nothing_is_read_when_nothing_was_written(pair: Pair) -> None:
    pair.sync()
    pair.sync()
    again = pair.sync()
    # The warehouse is on the same server, so the horizon has to look; the slot knows without looking.
    assert set(found_by(again).values()) == ({"horizon"} if pair.capture == "horizon" else {"unchanged"})
    assert sum(table.rows_read for table in again.tables) == 0


@WITH_SLOT
def test_the_slot_is_used_and_acknowledged(pair: Pair) -> None:
    pair.sync()
    wait_for_earlier_transactions(pair.source_url)
    pair.at_source("update parent set name = 'x' where parent_id = 1; insert into parent values (6, 'six', null, null)")
    second = pair.sync()
    assert found_by(second) == {"parent": "change data capture", "child": "unchanged"}
    (confirmed,) = pair.at_source("select confirmed_flush_lsn::text from pg_replication_slots where slot_name = 'runmart_small'")
    assert pair.in_warehouse("select acknowledged::text from ops.sync_state") == [confirmed]
    pair.assert_equal()


def test_rows_that_were_set_aside_change_nothing_of_what_is_read(pair: Pair) -> None:
    pair.sync()
    wait_for_earlier_transactions(pair.source_url)
    pair.sync()
    pair.in_warehouse(failing("""values ('{"parent_id": 1}'::jsonb)"""), "small/parent")
    bring_up_to_date(pair.warehouse_url, CONTRACT, [suite_of("small", "parent", ["parent_id"])])
    marked = "select parent_id, _batch_id from raw_small.parent where _quarantined_at is not null"
    assert pair.in_warehouse(marked) == [(1, 3)]
    pair.at_source("update parent set name = 'x' where parent_id < 3")
    fourth = pair.sync()
    assert found_by(fourth)["parent"] == ("horizon" if pair.capture == "horizon" else "change data capture")
    assert fourth.batch_id == 4
    # A row that the source changes stays where it is until it has been checked.
    assert pair.in_warehouse(marked) == [(1, 4)]
    pair.assert_equal()


LEAVES = {
    "attached with rows": """
        create table child_older (like child including all);
        insert into child_older (child_id, at) select n, '1999-01-01' from generate_series(1, 9) as n;
        alter table child detach partition child_old; drop table child_old;
        alter table child attach partition child_older for values from (minvalue) to ('2025-01-01')
    """,
    "changed while it was detached": """
        alter table child detach partition child_old;
        update child_old set value = 99; delete from child_old where child_id = 1;
        insert into child_old (child_id, at) values (50, '2001-01-01');
        alter table child attach partition child_old for values from (minvalue) to ('2025-01-01')
    """,
    "truncated": "truncate child_new",
    "truncated and filled again": "truncate child; insert into child (child_id, at) select n, '2025-02-02' from generate_series(1, 5) as n",
    "rewritten": "update child set value = 5 where child_id = 3; alter table child_new set unlogged",
    "detached": "alter table child detach partition child_new",
}


@pytest.mark.parametrize("case", LEAVES)
def test_partition_is_followed(pair: Pair, case: str) -> None:
    pair.sync()
    pair.sync()
    pair.at_source(LEAVES[case])
    result = pair.sync()
    assert "horizon" in found_by(result)["child"]
    pair.assert_equal()
    pair.at_source("insert into child (child_id, at) values (700, '2003-03-03')")
    pair.sync()
    pair.assert_equal()


REDEFINITIONS = {
    "column made anew with a default": "alter table parent drop column name; alter table parent add column name varchar(40) default 'new'",
    "label renamed": "alter type mood rename value 'calm' to 'quiet'",
    "type changed to an equal one": "alter table parent alter column name type varchar(40) using 'x' || name",
}


@pytest.mark.parametrize("case", REDEFINITIONS)
def test_values_that_change_although_no_row_is_written(pair: Pair, case: str) -> None:
    pair.sync()
    pair.sync()
    pair.at_source(REDEFINITIONS[case])
    pair.sync()
    pair.assert_equal()


def test_generated_columns_follow_their_expression(pair: Pair) -> None:
    contract = with_table("made", key=["id"], columns=["id", "stored", "shown"])
    pair.at_source(
        "create table made (id bigint generated always as identity primary key, "
        "stored bigint generated always as (7) stored, shown bigint generated always as (1) virtual); "
        "insert into made default values; insert into made default values"
    )
    pair.sync(contract)
    pair.sync(contract)
    pair.at_source("alter table made alter column shown set expression as (2)")
    pair.sync(contract)
    pair.assert_equal(contract)


@pytest.mark.parametrize(
    ("column", "kind"),
    [("size", "bigint"), ("amount", "numeric(14, 4)"), ("amount", "numeric"), ("value", "numeric"), ('"Quoted name"', "varchar(5)")],
)
def test_wider_type_is_followed_and_another_one_is_refused(pair: Pair, column: str, kind: str) -> None:
    pair.sync()
    pair.in_warehouse("create schema staging; create view staging.stg_children as select * from raw_small.child")
    pair.at_source(f"update child set {column} = null where child_id = 2")
    pair.at_source(f"alter table child alter column {column} type {kind} using {column}::{kind}")
    if column in ("value", '"Quoted name"'):
        with pytest.raises(SchemaDrift, match="which may not hold the values"):
            pair.sync()
        return
    first = pair.sync()
    pair.assert_equal()
    assert (
        pair.in_warehouse("select count(*) from raw_small.child where _batch_id < %s", first.batch_id) == [(4,)] or kind == "numeric(14, 4)"
    )


def test_wider_type_is_not_followed_under_a_view_of_somebody(pair: Pair) -> None:
    pair.sync()
    pair.in_warehouse("create view mine as select size from raw_small.child")
    pair.at_source("alter table child alter column size type bigint")
    with pytest.raises(SchemaDrift, match=r"the view public\.mine shows the old one"):
        pair.sync()
    pair.in_warehouse("drop view mine")
    pair.sync()
    pair.assert_equal()


@pytest.mark.parametrize("kind", ["uuid", "text", "varchar(30)", "numeric", "timestamptz", "date", "bytea", "mood", "boolean"])
def test_any_type_can_be_a_key(pair: Pair, kind: str) -> None:
    values = {
        "uuid": "gen_random_uuid()",
        "text": "'Ünï \"q\", ' || chr(10) || n",
        "varchar(30)": "'k' || n",
        "numeric": "n / 7.0",
        "timestamptz": "timestamptz '2024-01-01' + n * interval '1 us'",
        "date": "date '2024-01-01' + n",
        "bytea": "decode(lpad(to_hex(n), 4, '0'), 'hex')",
        "mood": "case when n = 1 then 'calm' else 'wild' end::mood",
        "boolean": "n = 1",
    }
    rows = 2 if kind in ("mood", "boolean") else 40
    contract = with_table("odd", key=["id"], columns=["id", "n"])
    pair.at_source(f"create table odd (id {kind} primary key, n integer)")
    pair.at_source(f"insert into odd select {values[kind]}, n from generate_series(1, {rows}) as n")
    if pair.capture == "cdc":
        slot.enable(contract.model_copy(update={"capture": "cdc"}), pair.source_url)
    pair.sync(contract)
    wait_for_earlier_transactions(pair.source_url)
    pair.sync(contract)
    pair.at_source("update odd set n = -n where n % 3 = 0; delete from odd where abs(n) % 5 = 2")
    result = pair.sync(contract)
    if pair.capture == "cdc":
        assert found_by(result)["odd"] == "change data capture"
    assert sum(table.rows_deleted for table in result.tables) == (1 if rows == 2 else 8)
    pair.assert_equal(contract)


def test_table_without_a_key_counts_equal_rows(pair: Pair) -> None:
    contract = with_table("keyless", key=[], without_key="replace", columns=["a", "b"])
    pair.at_source(
        "create table keyless (a integer, b double precision); insert into keyless values (1, 'NaN'), (1, 'NaN'), (1, 'NaN'), (2, null)"
    )

    def counts(read: object, where: str = "true") -> list[tuple[object, ...]]:
        table = "keyless" if read == pair.at_source else "raw_small.keyless"
        return read(f"select a::text, b::text, count(*) from {table} where {where} group by 1, 2 order by 1, 2")  # type: ignore[no-any-return, operator]

    for change in (
        "select 1",
        "delete from keyless where ctid = (select min(ctid) from keyless where a = 1)",
        "insert into keyless values (2, null), (3, 0)",
    ):
        pair.at_source(change)
        result = pair.sync(contract)
        assert counts(pair.in_warehouse, "_deleted_at is null") == counts(pair.at_source)
    assert [(t.rows_inserted, t.rows_updated, t.rows_deleted) for t in result.tables if t.table == "keyless"] == [(2, 0, 0)]
    assert found_by(pair.sync(contract))["keyless"] == "unchanged"


def test_view_is_compared_in_full_every_time(pair: Pair) -> None:
    contract = with_table("shown", key=["parent_id"], columns=["parent_id", "name"])
    pair.at_source("create view shown as select * from parent where parent_id > 1")
    pair.sync(contract)
    pair.at_source("update parent set name = 'seen' where parent_id = 2; delete from child; delete from parent where parent_id = 3")
    assert found_by(pair.sync(contract))["shown"] == "full read"
    pair.assert_equal(contract)


@pytest.mark.parametrize("key", [["name"], ["mood"]])
def test_key_that_does_not_identify_rows_is_named(pair: Pair, key: list[str]) -> None:
    contract = with_table("twins", key=key, columns=["name", "mood"])
    pair.at_source("create table twins (name text, mood text); insert into twins values ('a', null), ('a', 'x')")
    assert "the key of twins does not identify its rows" in failures(pair.sync(contract))["twins"]
    pair.at_source("delete from twins; insert into twins values ('a', 'x')")
    pair.sync(contract)
    pair.at_source("insert into twins values (%s, %s), (%s, %s)", *(("b", "y", "b", "z") if key == ["name"] else ("b", "y", "c", "y")))
    assert re.search(r"the key of twins \(\w+\) does not identify its rows", failures(pair.sync(contract))["twins"])


@WITH_SLOT
def test_slot_that_was_lost_or_moved_falls_back_without_a_reload(pair: Pair) -> None:
    cdc = CONTRACT.model_copy(update={"capture": "cdc"})
    pair.sync()
    pair.at_source("update parent set name = 'moved' where parent_id = 1")
    pair.at_source("select pg_replication_slot_advance('runmart_small', pg_current_wal_lsn())")
    assert found_by(pair.sync()) == {"parent": "horizon", "child": "horizon"}
    pair.assert_equal()
    pair.at_source("update parent set name = 'dropped' where parent_id = 1")
    slot.disable(cdc, pair.source_url)
    result = pair.sync()
    assert found_by(result) == {"parent": "horizon", "child": "horizon"}
    assert "enable-cdc small" in result.warnings[0]
    pair.assert_equal()
    pair.at_source("update parent set name = 'made again' where parent_id = 1")
    slot.enable(cdc, pair.source_url)
    assert found_by(pair.sync()) == {"parent": "horizon", "child": "horizon"}
    wait_for_earlier_transactions(pair.source_url)
    pair.at_source("update parent set name = 'streamed' where parent_id = 1")
    assert found_by(pair.sync()) == {"parent": "change data capture", "child": "unchanged"}
    pair.assert_equal()


@WITH_SLOT
def test_transaction_that_began_before_the_publication_is_not_lost(pair: Pair) -> None:
    """Decoding looks at the catalog of a transaction's own time: what it wrote before its table was published is not in the stream."""
    contract = with_table("late", key=["id"], columns=["id"])
    pair.at_source("create table late (id bigint primary key)")
    pair.sync(contract)
    with open_transaction(pair.source_url) as early:
        early.execute("insert into late values (1)")
        pair.at_source("alter publication runmart_small add table late (id)")
        pair.sync(contract)
    pair.sync(contract)
    pair.assert_equal(contract)
    pair.at_source("insert into late values (2)")
    pair.sync(contract)
    pair.assert_equal(contract)


@WITH_SLOT
def test_slot_over_its_limit_is_dropped_with_a_warning(pair: Pair) -> None:
    pair.sync()
    pair.at_source(
        # What a slot holds back is counted as far as the log is on disk.
        "set synchronous_commit = on; "
        "insert into parent select n, repeat('x', 40), null, repeat('y', 1000) from generate_series(1000, 3000) as n"
    )
    tight = CONTRACT.model_copy(update={"limits": CONTRACT.limits.model_copy(update={"slot_gigabytes": 0.001})})
    result = pair.sync(tight)
    assert "was dropped" in result.warnings[0]
    assert pair.at_source("select count(*) from pg_replication_slots") == [(0,)]
    pair.assert_equal()


@WITHOUT_SLOT
def test_raw_row_that_went_missing_is_noticed_and_put_back(pair: Pair) -> None:
    pair.sync()
    pair.in_warehouse(
        "update ops.table_state set live_rows = 3 where table_name = 'parent'; delete from raw_small.parent where parent_id < 3"
    )
    result = pair.sync()
    assert "no change explains" in result.warnings[0]
    pair.assert_equal()


def test_first_loads_are_taken_over_by_the_next_sync(pair: Pair) -> None:
    def die(event: SyncEvent) -> None:
        if event.stage is Stage.LOADED and event.table == "parent":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pair.sync(on_event=die)
    assert pair.in_warehouse("select to_regclass('loading_small.parent')::text, to_regclass('raw_small.parent')::text") == [
        ("loading_small.parent", None)
    ]
    pair.at_source("insert into parent values (9, 'new', null, null); delete from child; delete from parent where parent_id = 1")
    result = pair.sync()
    assert found_by(result)["parent"].startswith("resumed first load")
    pair.assert_equal()
    assert pair.in_warehouse("select count(*), count(committed_at) from ops.batches") == [(1, 1)]


def test_old_snapshot_is_let_go_between_first_loads(pair: Pair) -> None:
    snapshots: list[str] = []

    def note(event: SyncEvent) -> None:
        if event.source is not None:
            snapshots.append(event.source.position.snapshot)

    hasty = CONTRACT.model_copy(update={"limits": CONTRACT.limits.model_copy(update={"snapshot_minutes": 1e-9})})
    result = pair.sync(hasty, on_event=note)
    assert len(snapshots) > 1
    assert result.position.snapshot == snapshots[-1]
    pair.assert_equal()
