"""Sync: raw equals the source after every kind of change, and a sync that fails writes nothing."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import IndexContract
from dagster_project.ingestion import errors
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.sync import SyncResult
from dagster_project.resources.embedded import EmbeddedServer
from tests.integration.ingestion.conftest import CONTRACT, Pair


def changed(result: SyncResult) -> dict[str, tuple[int, int, int]]:
    return {t.table: (t.rows_inserted, t.rows_updated, t.rows_deleted) for t in result.tables}


def break_off(event: SyncEvent) -> None:
    """End a sync when it has applied its first table."""
    if event.stage is Stage.APPLIED:
        raise KeyboardInterrupt


def test_first_sync_copies_every_declared_value(pair: Pair) -> None:
    result = pair.sync()
    assert changed(result) == {"parent": (5, 0, 0), "child": (5, 0, 0)}
    pair.assert_equal()


def test_undeclared_column_never_reaches_the_warehouse(pair: Pair) -> None:
    pair.sync()
    columns = pair.in_warehouse("select column_name from information_schema.columns where table_schema = 'raw_small'")
    assert ("secret",) not in columns
    assert ("mood",) in columns


def test_second_sync_without_changes_writes_no_row(pair: Pair) -> None:
    first = pair.sync()
    assert changed(pair.sync()) == {"parent": (0, 0, 0), "child": (0, 0, 0)}
    assert pair.in_warehouse("select distinct _batch_id from raw_small.child") == [(first.batch_id,)]


def test_rows_of_later_batches_are_found_by_an_index(pair: Pair) -> None:
    first = pair.sync()
    pair.at_source("insert into parent values (9, 'late', null, null)")
    pair.at_source("delete from child where child_id = 3")
    second = pair.sync()
    for table, key, index in (("parent", 9, "parent__batch_id_idx"), ("child", 3, "child__batch_id_parent_id_idx")):
        later = f"select {table}_id, _batch_id from raw_small.{table} where _batch_id > {first.batch_id}"
        assert set(pair.in_warehouse(later)) == {(key, second.batch_id)}
        # A table of five rows is faster to read whole, which proves nothing.
        (plan, *_), *_ = pair.in_warehouse(f"set enable_seqscan = off; explain {later}")
        assert f" using {index} on " in plan


def test_insert_update_delete_and_partition_move_are_followed(pair: Pair) -> None:
    pair.sync()
    pair.at_source("insert into parent values (9, 'late', null, null)")
    pair.at_source("update child set value = 'NaN', at = '2020-02-02' where child_id = 1")
    pair.at_source("update child set amount = null where child_id = 2")
    pair.at_source("delete from child where child_id = 3")
    assert changed(pair.sync()) == {"parent": (1, 0, 0), "child": (1, 1, 2)}
    pair.assert_equal()


def test_deleted_row_stays_as_tombstone_and_comes_back(pair: Pair) -> None:
    pair.sync()
    pair.at_source("create table kept as select * from child where child_id = 4; delete from child where child_id = 4")
    second = pair.sync()
    assert pair.in_warehouse("select _batch_id, _deleted_at = _synced_at from raw_small.child where child_id = 4") == [
        (second.batch_id, True)
    ]
    pair.at_source("insert into child select * from kept")
    assert changed(pair.sync())["child"] == (1, 0, 0)
    pair.assert_equal()


def test_row_keeps_the_parents_that_it_left(pair: Pair) -> None:
    """What was counted under a parent must be counted again once the row has left it, however many syncs later the marts look."""
    moved_from = "select parent_id, _moved_from from raw_small.child where child_id = 4"
    pair.sync()
    pair.at_source("update child set value = 7 where child_id = 4")
    pair.sync()
    assert pair.in_warehouse(moved_from) == [(5, None)]
    for parent in (1, 2, 1, None):
        pair.at_source("update child set parent_id = %s where child_id = 4", parent)
        pair.sync()
    assert pair.in_warehouse(moved_from) == [(None, [{"parent_id": 5}, {"parent_id": 1}, {"parent_id": 2}])]
    pair.at_source("delete from child where child_id = 4")
    pair.sync()
    assert pair.in_warehouse(moved_from) == [(None, [{"parent_id": 5}, {"parent_id": 1}, {"parent_id": 2}])]
    pair.assert_equal()


def test_deleted_row_that_is_back_under_another_parent_keeps_the_one_it_had(pair: Pair) -> None:
    pair.sync()
    pair.at_source("create table kept as select * from child where child_id = 4; delete from child where child_id = 4")
    pair.sync()
    pair.at_source("insert into child select * from kept; update child set parent_id = 1 where child_id = 4")
    assert changed(pair.sync())["child"] == (1, 0, 0)
    assert pair.in_warehouse("select parent_id, _moved_from, _deleted_at from raw_small.child where child_id = 4") == [
        (1, [{"parent_id": 5}], None)
    ]
    pair.assert_equal()


@pytest.mark.parametrize(
    "query",
    [
        "select from raw_small.child where parent_id = 1",
        "select from raw_small.child where _moved_from is not null",
        "select parent_id from raw_small.child where _batch_id > {first} order by _batch_id, parent_id limit 1",
    ],
)
def test_marts_find_rows_by_an_index(pair: Pair, query: str) -> None:
    first = pair.sync()
    # A table of five rows is faster to read whole, which proves nothing.
    asked = f"set enable_seqscan = off; set enable_sort = off; explain {query.format(first=first.batch_id)}"
    plan = "".join(line for (line,) in pair.in_warehouse(asked))
    assert "Index" in plan
    assert "Filter" not in plan
    assert "Sort" not in plan


def test_indexes_that_are_missing_are_made_by_the_next_sync(pair: Pair) -> None:
    """Of tables that were made before raw tables had them, or had the column that one of them is on."""
    indexes = "select substring(indexdef from 'USING btree (.*)') from pg_indexes where schemaname = 'raw_small'"
    first = pair.sync()
    expected = {*pair.in_warehouse(indexes), (f"(_batch_id) WHERE (_batch_id > {first.batch_id})",)}
    pair.in_warehouse(f"create index on raw_small.child (_batch_id) where _batch_id > {first.batch_id}")
    pair.in_warehouse("drop index raw_small.child_parent_id_idx, raw_small.child__batch_id_parent_id_idx")
    pair.sync()
    assert set(pair.in_warehouse(indexes)) == expected
    pair.in_warehouse("alter table raw_small.child drop column _moved_from")
    pair.in_warehouse("update ops.table_state set shape = 'as it was before' where table_name = 'child'")
    pair.sync()
    assert set(pair.in_warehouse(indexes)) == expected
    assert pair.in_warehouse("select distinct _moved_from from raw_small.child") == [(None,)]
    of_batches = (
        "select indexname from pg_indexes where schemaname = 'raw_small' and tablename = 'child' and indexdef like '%_batch_id > %'"
    )
    for (name,) in pair.in_warehouse(of_batches):
        pair.in_warehouse(f"drop index raw_small.{name}")
    pair.sync()
    assert ("(_batch_id, parent_id) WHERE (_batch_id > 0)",) in pair.in_warehouse(indexes)


def with_indexes(*indexes: IndexContract) -> SystemContract:
    child = CONTRACT.tables["child"].model_copy(update={"indexes": indexes})
    return CONTRACT.model_copy(update={"tables": {**CONTRACT.tables, "child": child}})


def test_declared_indexes_follow_the_contract(pair: Pair) -> None:
    """Without the table being read again."""
    large, at = IndexContract(columns=("size",), where="value > 1 and \"Quoted name\" like '%d'"), IndexContract(columns=("at", "size"))
    found = "select substring(indexdef from 'USING btree (.*)') from pg_indexes where indexname ~ '_declared_' order by 1"
    defined = {large: ("(size) WHERE ((value > (1)::double precision) AND (\"Quoted name\" ~~ '%d'::text))",), at: ("(at, size)",)}
    sequences: list[list[list[IndexContract]]] = [[[], [large], [large, at], [at], []], [[at], [large]]]
    for wanted in sequences:
        for indexes in wanted:
            result = pair.sync(with_indexes(*indexes))
            assert pair.in_warehouse(found) == sorted(defined[index] for index in indexes)
        assert {table.rows_read for table in result.tables} == {0}
        pair.in_warehouse("drop schema raw_small cascade")


def test_declared_index_that_cannot_be_made_is_named(pair: Pair) -> None:
    wrong = with_indexes(IndexContract(columns=("size",), where="no_such > 1"))
    told = r'declares an index of child that cannot be made: column "no_such" does not exist; correct .*: size where no_such > 1'
    for _ in range(2):
        with pytest.raises(errors.SchemaDrift, match=told):
            pair.sync(wrong)
        pair.sync()


@pytest.mark.parametrize(
    ("column", "before", "after"),
    [("value", "0.0", "'-0.0'"), ("open_amount", "1.0", "1.00"), ("value", "'NaN'", "'Infinity'"), ("at", "'infinity'", "'-infinity'")],
)
def test_values_that_compare_equal_but_differ_are_followed(pair: Pair, column: str, before: str, after: str) -> None:
    pair.at_source(f"update child set {column} = {before} where child_id = 1")
    pair.sync()
    pair.at_source(f"update child set {column} = {after} where child_id = 1")
    pair.sync()
    pair.assert_equal()


@given(
    steps=st.lists(
        st.lists(
            st.tuples(
                st.integers(1, 8),
                st.sampled_from(["insert", "update", "delete"]),
                st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)),
            ),
            max_size=6,
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_ends_equal(pair: Pair, steps: list[list[tuple[int, str, float | None]]]) -> None:
    statements = {
        "insert": "insert into child (child_id, at, value) values (%(id)s, '2025-06-01', %(value)s) on conflict do nothing",
        "update": "update child set value = %(value)s where child_id = %(id)s",
        "delete": "delete from child where child_id = %(id)s",
    }
    for step in steps:
        connection = psycopg2.connect(pair.source_url)
        with connection, connection.cursor() as cursor:
            for child_id, operation, value in step:
                cursor.execute(statements[operation], {"id": child_id, "value": value})
        connection.close()
        pair.sync()
        pair.assert_equal()


def test_all_tables_are_read_at_one_snapshot(pair: Pair) -> None:
    """A parent and its child that commit between the reading of the two tables arrive together, in the next sync."""
    arrived: list[str] = []

    def commit_family(event: SyncEvent) -> None:
        if event.stage is not Stage.APPLIED:
            return
        if not arrived:
            pair.at_source("insert into parent values (77, 'new', null, null)")
            pair.at_source("insert into child (child_id, at, parent_id) values (77, '2025-05-05', 77)")
        arrived.append(event.table or "")

    pair.sync(on_event=commit_family)
    assert arrived == ["parent", "child"]
    orphans = (
        "select count(*) from raw_small.child as c where not exists (select from raw_small.parent as p where p.parent_id = c.parent_id)"
    )
    assert pair.in_warehouse(orphans) == [(0,)]
    assert pair.in_warehouse("select count(*) from raw_small.child where child_id = 77") == [(0,)]
    pair.sync()
    pair.assert_equal()


def test_rows_and_watermark_agree(pair: Pair) -> None:
    result = pair.sync()
    assert pair.in_warehouse("select batch_id from ops.sync_state") == [(result.batch_id,)]
    states = pair.in_warehouse("select table_name, batch_id, snapshot, live_rows from ops.table_state order by 1")
    assert states == [(table, result.batch_id, result.position.snapshot, 5) for table in ("child", "parent")]
    assert pair.in_warehouse("select table_name, source_rows from ops.table_syncs order by 1") == [("child", 5), ("parent", 5)]


def test_failure_in_the_second_table_leaves_nothing(pair: Pair) -> None:
    pair.sync()
    before = pair.in_warehouse("select * from ops.sync_state")
    pair.at_source("insert into parent values (6, 'six', null, null)")

    with pytest.raises(KeyboardInterrupt):
        pair.sync(on_event=break_off)
    assert pair.in_warehouse("select count(*) from raw_small.parent") == [(5,)]
    assert pair.in_warehouse("select * from ops.sync_state") == before


def test_value_that_cannot_be_read_is_named_and_nothing_is_written(pair: Pair) -> None:
    pair.at_source("create function broken(n bigint) returns text immutable language sql as $$ select (1 / (n - 3))::text $$")
    pair.at_source("alter table child rename to real_child")
    pair.at_source(
        "create view child as select child_id, at, parent_id, size, value, amount, open_amount, document, labels, moods, picture, ident, "
        'broken(child_id) as "Quoted name" from real_child'
    )
    told = "the source small, table child, column Quoted name, row child_id = 3, at = 2025-01-02 00:00:00: division by zero"
    with pytest.raises(errors.SyncError, match=told):
        pair.sync()
    assert pair.in_warehouse("select to_regclass('raw_small.parent')::text") == [(None,)]


def test_two_syncs_at_once_one_leaves_with_a_clear_line(pair: Pair) -> None:
    def second(_: object) -> None:
        with pytest.raises(errors.SyncInProgress, match="already running"):
            pair.sync()

    pair.sync(on_event=second)


def test_sync_that_failed_is_not_in_the_way_of_the_next(pair: Pair) -> None:
    pair.sync()
    pair.at_source("update parent set name = 'changed'")
    with closing(psycopg2.connect(pair.warehouse_url)) as connection, connection.cursor() as cursor:
        with pytest.raises(KeyboardInterrupt):
            pair.sync(on_event=break_off)
        cursor.execute("lock table locks.sync_small in exclusive mode nowait")


def test_new_column_is_reported_and_ignored(pair: Pair) -> None:
    pair.sync()
    pair.at_source("alter table parent add column colour text default 'red'")
    second = pair.sync()
    assert [t.new_columns for t in second.tables] == [("colour",), ()]
    assert [t.new_columns for t in pair.sync().tables] == [(), ()]


def test_newly_declared_column_is_filled(pair: Pair) -> None:
    pair.sync()
    tables = {
        **CONTRACT.tables,
        "parent": CONTRACT.tables["parent"].model_copy(update={"columns": ("parent_id", "name", "mood", "secret")}),
    }
    wider = CONTRACT.model_copy(update={"tables": tables})
    pair.sync(wider)
    pair.assert_equal(wider)


def test_column_that_is_no_longer_declared_leaves_raw(pair: Pair) -> None:
    pair.sync()
    tables = {**CONTRACT.tables, "parent": CONTRACT.tables["parent"].model_copy(update={"columns": ("parent_id", "name")})}
    narrower = CONTRACT.model_copy(update={"tables": tables})
    pair.sync(narrower)
    assert pair.in_warehouse("select count(*) from information_schema.columns where table_name = 'parent' and column_name = 'mood'") == [
        (0,)
    ]
    pair.in_warehouse("create view uses_name as select name from raw_small.parent")
    tables["parent"] = CONTRACT.tables["parent"].model_copy(update={"columns": ("parent_id",)})
    with pytest.raises(errors.SchemaDrift, match=r"parent\.name is no longer declared but still used"):
        pair.sync(CONTRACT.model_copy(update={"tables": tables}))


DRIFTS = {
    "dropped column": ("alter table parent drop column name", r"no column parent\.name"),
    "renamed column": ("alter table parent rename column name to title", r"no column parent\.name"),
    "narrowed type": ("alter table child alter column amount type numeric(10, 2)", r"type of child\.amount from numeric\(12,3\)"),
    "dropped table": ("drop table child", "the source small, table child: relation .*child.* does not exist"),
    "renamed schema": ("alter schema public rename to elsewhere", "does not exist"),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_fails_with_its_name_before_anything_is_written(pair: Pair, drift: str) -> None:
    statement, message = DRIFTS[drift]
    pair.sync()
    before = pair.in_warehouse("select * from ops.batches")
    pair.at_source("update child set value = 1e9")
    pair.at_source(statement)
    with pytest.raises(errors.SyncError, match=message) as caught:
        pair.sync()
    assert not caught.value.is_transient
    assert pair.in_warehouse("select * from ops.batches") == before


def test_changed_key_is_refused(pair: Pair) -> None:
    pair.sync()
    tables = {**CONTRACT.tables, "child": CONTRACT.tables["child"].model_copy(update={"key": ("child_id",)})}
    with pytest.raises(errors.SchemaDrift, match=r"key of child is \(child_id\), raw's is \(child_id, at\)"):
        pair.sync(CONTRACT.model_copy(update={"tables": tables}))


def role_url(pair: Pair, name: str, rights: str) -> str:
    """A login without rights of its own but those given, on the pair's source."""
    database = pair.at_source("select current_database()")[0][0]
    pair.at_source(f"drop role if exists {name}")
    pair.at_source(f"create role {name} login; grant connect on database {database} to {name}; {rights.format(role=name)}")
    return pair.source_url.replace("postgres@", f"{name}@")


@pytest.fixture
def as_role(pair: Pair) -> Callable[[str], str]:
    return lambda rights: role_url(pair, "small_reader", rights)


@pytest.fixture(autouse=True)
def _without_reader(server: EmbeddedServer) -> Iterator[None]:
    yield
    connection = psycopg2.connect(server.url("postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("select datname from pg_database where datname like 'test_empty_%'")
        databases = [name for (name,) in cursor.fetchall()]
    connection.close()
    for database in databases:
        connection = psycopg2.connect(server.url(database))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select 1 from pg_roles where rolname = 'small_reader'")
            if cursor.fetchone():
                cursor.execute("drop owned by small_reader cascade; drop role small_reader")
        connection.close()


def sync_as(pair: Pair, url: str) -> SyncResult:
    return replace(pair, source_url=url).sync()


def test_select_rights_are_enough(pair: Pair, as_role: Callable[[str], str]) -> None:
    sync_as(pair, as_role("grant select on all tables in schema public to {role}"))
    pair.assert_equal()


def test_missing_right_names_the_table(pair: Pair, as_role: Callable[[str], str]) -> None:
    url = as_role("grant select on parent to {role}")
    with pytest.raises(errors.AccessDenied, match="the source small, table child: permission denied for table child; grant the role"):
        sync_as(pair, url)


def test_row_level_security_never_hides_rows(pair: Pair, as_role: Callable[[str], str]) -> None:
    url = as_role("grant select on all tables in schema public to {role}")
    pair.at_source("alter table parent enable row level security; create policy few on parent using (parent_id < 3)")
    with pytest.raises(errors.AccessDenied, match="the source small, table parent: row level security may hide rows of it from this role"):
        sync_as(pair, url)
    pair.at_source("create policy readers on parent for select to small_reader using (true)")
    sync_as(pair, url)
    pair.assert_equal()


def test_restrictive_policy_is_refused_until_row_security_is_bypassed(pair: Pair, as_role: Callable[[str], str]) -> None:
    url = as_role("grant select on all tables in schema public to {role}")
    pair.at_source("alter table parent enable row level security; create policy every on parent using (true)")
    pair.at_source("create policy less on parent as restrictive using (parent_id < 3)")
    with pytest.raises(errors.AccessDenied, match="BYPASSRLS"):
        sync_as(pair, url)
    pair.at_source("alter role small_reader bypassrls")
    sync_as(pair, url)
    pair.assert_equal()


UNREACHABLE = {
    "no server": ("postgresql://nobody@127.0.0.1:1/nothing", errors.DatabaseUnreachable, "the source small cannot be reached: .*refused"),
    "no host": ("postgresql://nobody@no-such-host.invalid/nothing", errors.DatabaseUnreachable, "cannot be reached"),
}


@pytest.mark.parametrize("case", UNREACHABLE)
def test_unreachable_source_is_one_clear_line(pair: Pair, case: str) -> None:
    url, error, message = UNREACHABLE[case]
    with pytest.raises(error, match=message) as caught:
        sync_as(pair, url)
    assert "\n" not in str(caught.value)
    assert caught.value.is_transient


def test_unknown_database_and_role_are_not_worth_a_retry(pair: Pair) -> None:
    for url in (
        pair.source_url.replace("postgres@", "nobody_here@"),
        pair.source_url.partition("/test")[0] + "/nothing?host=" + pair.source_url.partition("?host=")[2],
    ):
        with pytest.raises(errors.SyncError, match="does not exist") as caught:
            sync_as(pair, url)
        assert not caught.value.is_transient
