"""Rows in quarantine are those that break a critical rule on rows, and those that hang on them, whatever has come, changed and gone.

What has to be in quarantine is found here with sets, from the rows and the foreign keys.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import cursor as Cursor

from dagster_project.ingestion import warehouse
from dagster_project.ingestion.lock import LockingConnection
from dagster_project.marts.held import held_tables
from dagster_project.quality.accounting import Account, accounts
from dagster_project.quality.quarantine import bring_up_to_date
from dagster_project.quality.suites import Suite
from dagster_project.quality.validation import Project, validate
from tests.integration.quality.raw_history import Change, RawHistory, shop

HISTORIES = int(os.environ.get("RUNMART_TEST_HISTORIES", "40")) // 2

# Foreign keys of one column and of two, to the key and to another column, to the same table, and in a circle.
CONTRACT = shop(
    {
        "grands": {"description": "Grands.", "key": ["grand_id"], "columns": ["grand_id", "value", "best_id"],
                   "foreign_keys": {"best_id": "parents.parent_id"}},
        "parents": {"description": "Parents.", "key": ["parent_id"],
                    "columns": ["parent_id", "value", "code", "grand_id", "before_id"],
                    "foreign_keys": {"grand_id": "grands.grand_id", "before_id": "parents.parent_id"}},
        "children": {"description": "Children.", "key": ["child_id", "line"],
                     "columns": ["child_id", "line", "value", "parent_code", "of_child", "of_line"],
                     "foreign_keys": {"parent_code": "parents.code"},
                     "composite_foreign_keys": [
                         {"columns": ["of_child", "of_line"], "parent": "children", "parent_columns": ["child_id", "line"]}]},
    }
)  # fmt: skip
RAW = RawHistory(
    CONTRACT,
    {
        "grands": "grand_id bigint, value double precision, best_id bigint",
        "parents": "parent_id bigint, value double precision, code text, grand_id bigint, before_id bigint",
        "children": "child_id bigint, line integer, value double precision, parent_code text, of_child bigint, of_line integer",
    },
)
PROJECT = Project({"shop": CONTRACT})
_FEW = 40


def _suite(table: str) -> Suite:
    """Rules on rows, critical and not, and one on the table."""
    key = list(CONTRACT.tables[table].key)
    select = f"with this as (select * from {{batch}}) select {', '.join(key)}, value from this"
    most = f"with this as (select * from {{batch}}) select count(*) as rows from this having count(*) > {_FEW}"

    def expectation(check: str, level: str, query: str, severity: str = "critical") -> dict[str, object]:
        kwargs, meta = {"unexpected_rows_query": query}, {"check": check, "level": level}
        return {"type": "unexpected_rows_expectation", "kwargs": kwargs, "severity": severity, "description": "Something.", "meta": meta}

    return Suite.model_validate(
        {
            "name": f"shop.{table}",
            "meta": {"key": key, "quarantined_share": 0.25},
            "expectations": [
                expectation("is_not_negative", "row", f"{select} where value < 0"),
                expectation("is_not_low", "row", f"{select} where value < -5"),
                expectation("is_not_high", "row", f"{select} where value > 5", "warning"),
                expectation("is_small", "table", most),
            ],
        }
    )


SUITES = [_suite(table) for table in CONTRACT.tables]

# By table, its key and its foreign keys: the columns, the parent, and its columns.
_KEYS = {name: table.key for name, table in CONTRACT.tables.items()}
_REFERENCES = [(name, key.columns, key.parent, key.parent_columns) for name, table in CONTRACT.tables.items() for key in table.references]


@dataclass
class Source:
    """The rows that there are, and what follows from them."""

    rows: dict[str, dict[tuple[Any, ...], Mapping[str, Any]]] = field(default_factory=lambda: {table: {} for table in CONTRACT.tables})

    def apply(self, change: Change) -> None:
        """Write a row."""
        key = tuple(change.row[column] for column in _KEYS[change.table])
        if change.is_gone:
            self.rows[change.table].pop(key, None)
        else:
            self.rows[change.table][key] = change.row

    def broken(self, table: str) -> dict[tuple[Any, ...], list[str]]:
        """Rows that break a critical rule, each with the rules; none of a table of which too many do."""
        broken = {
            key: [name for name, limit in (("is_not_low", -5), ("is_not_negative", 0)) if row["value"] < limit]
            for key, row in self.rows[table].items()
            if row["value"] is not None and row["value"] < 0
        }
        return {} if self.has_outage(table) else broken

    def has_outage(self, table: str) -> bool:
        """Whether too many rows of a table break rules."""
        negative = len([row for row in self.rows[table].values() if row["value"] is not None and row["value"] < 0])
        return negative >= 10 and negative > 0.25 * len(self.rows[table])

    def quarantined(self) -> dict[str, set[tuple[Any, ...]]]:
        """Rows that have to be in quarantine."""
        found = {table: {*self.broken(table)} for table in self.rows}
        while True:
            hanging = [
                (table, key)
                for table, columns, parent, referred in _REFERENCES
                for key, row in self.rows[table].items()
                if key not in found[table]
                and any(
                    tuple(row[column] for column in columns) == tuple(self.rows[parent][one][column] for column in referred)
                    for one in found[parent]
                )
            ]
            if not hanging:
                return found
            for table, key in hanging:
                found[table].add(key)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Any change of few rows, so that they meet."""
    small, maybe = st.integers(1, 5), st.sampled_from([None, 1, 2, 3])
    value = st.sampled_from([None, 1.0, 3.0, 6.0, -1.0, -7.0])
    table = draw(st.sampled_from([*CONTRACT.tables, "children"]))
    draws = {"best_id": maybe, "before_id": maybe, "of_child": maybe, "grand_id": small, "line": st.integers(1, 2), "of_line": small,
        "parent_code": st.sampled_from([None, "a'", "100%", "c"]), "code": st.sampled_from(["a'", "100%", "c"])}  # fmt: skip
    row = {column: draw(value if column == "value" else draws.get(column, small)) for column in CONTRACT.tables[table].columns}
    return Change(table, row, draw(st.sampled_from([False, False, False, True])))


class World:
    """A warehouse with the shop's raw tables."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.source = Source()
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True
        self.cursor: Cursor = self._connection.cursor()
        RAW.create(self.cursor)

    def close(self) -> None:
        """Let the database go."""
        self._connection.close()

    def sync(self, *changed: Change) -> None:
        """Write a batch."""
        RAW.apply(self.cursor, changed)
        for change in changed:
            self.source.apply(change)

    def check(self) -> None:
        """Ask all checks, and set aside what fails."""
        for suite in SUITES:
            validate(self.url, suite, PROJECT)
        bring_up_to_date(self.url, CONTRACT, SUITES)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        self.cursor.execute(query)
        return self.cursor.fetchall()

    def marked(self) -> dict[str, set[tuple[Any, ...]]]:
        """Keys of the rows that are marked, tombstones included."""
        return {
            table: {*self.rows(f"select {', '.join(key)} from raw_shop.{table} where _quarantined_at is not null")}
            for table, key in _KEYS.items()
        }

    def batches(self) -> dict[str, dict[tuple[Any, ...], int]]:
        """The last batch of each row."""
        return {
            table: {tuple(key): batch for *key, batch in self.rows(f"select {', '.join(_KEYS[table])}, _batch_id from raw_shop.{table}")}
            for table in _KEYS
        }

    def accounts(self) -> dict[str, Account]:
        """What is kept from marts."""
        self.cursor.execute("set role runmart_transform")
        found = {account.table: account for account in accounts(self.cursor, CONTRACT, CONTRACT.tables)}
        self.cursor.execute("reset role")
        return found

    def newest_batch(self) -> int:
        """That of the system."""
        return int(self.rows("select batch_id from ops.sync_state")[0][0])


@pytest.fixture
def world(new_database: Callable[[str], str]) -> Iterator[World]:
    """An empty one."""
    with closing(World(new_database("warehouse"))) as made:
        yield made


def family(value: float = 1.0) -> tuple[Change, ...]:
    """A grand with a value, a parent of it, and a child of that."""
    return (
        Change("grands", {"grand_id": 1, "value": value, "best_id": None}),
        Change("parents", {"parent_id": 1, "value": 1.0, "code": "c", "grand_id": 1, "before_id": None}),
        Change("children", {"child_id": 1, "line": 1, "value": 1.0, "parent_code": "c", "of_child": None, "of_line": None}),
    )


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.lists(changes(), max_size=12), min_size=2, max_size=5))
def test_rows_in_quarantine_are_those_that_break_rules_and_hang_on_others(
    new_database: Callable[[str], str], history: list[list[Change]]
) -> None:
    with closing(World(new_database("warehouse"))) as world:
        for batch in history:
            world.sync(*batch)
            marked, before, newest = world.marked(), world.batches(), world.newest_batch()
            world.check()
            _compare(world)
            moved = {table: keys ^ world.marked()[table] for table, keys in marked.items()}
            assert (world.newest_batch() > newest) == any(moved.values())
            later = {table: {key: world.newest_batch() if key in moved[table] else batch for key, batch in rows.items()}
                for table, rows in before.items()}  # fmt: skip
            assert world.batches() == later


def _compare(world: World) -> None:
    wanted = world.source.quarantined()
    assert world.marked() == wanted
    entries = world.rows("select table_name, key, checks, hangs_on from quality.quarantine where released_at is null")
    found = {(table, tuple(key[column] for column in _KEYS[table])): (checks, hangs_on) for table, key, checks, hangs_on in entries}
    assert found.keys() == {(table, key) for table, keys in wanted.items() for key in keys}
    for (table, key), (checks, hangs_on) in found.items():
        assert checks == world.source.broken(table).get(key, [])
        assert (hangs_on is None) == bool(checks)
        assert hangs_on is None or _refers(world.source.rows[table][key], table, hangs_on, wanted)
    accounts = world.accounts()
    assert {table: (each.in_quarantine, each.hanging, each.unaccounted) for table, each in accounts.items()} == {
        table: (len(keys), len(keys - world.source.broken(table).keys()), 0) for table, keys in wanted.items()
    }


def _refers(row: Mapping[str, Any], table: str, hangs_on: Mapping[str, Any], wanted: Mapping[str, set[tuple[Any, ...]]]) -> bool:
    """Whether a row refers to the one that it is said to hang on, which is in quarantine."""
    parent = hangs_on["table"]
    key = tuple(hangs_on["key"][column] for column in _KEYS[parent])
    ways = [columns for child, columns, of, _ in _REFERENCES if (child, of) == (table, parent)]
    return key in wanted[parent] and any(all(row[column] is not None for column in columns) for columns in ways)


def test_row_comes_back_when_it_is_mended_and_what_hangs_on_it_with_it(world: World) -> None:
    world.sync(*family(value=-1.0))
    world.check()
    assert [table for table, keys in world.marked().items() if keys] == ["grands", "parents", "children"]
    (entry,) = world.rows("select key, hangs_on from quality.quarantine where table_name = 'children'")
    assert entry == ({"child_id": 1, "line": 1}, {"table": "parents", "key": {"parent_id": 1}})
    assert world.rows("select rows_quarantined, rows_released from ops.table_quarantines") == [(1, 0)] * 3
    world.sync(family()[0])
    world.check()
    assert not any(world.marked().values())
    assert world.rows("select count(*), count(released_at) from quality.quarantine") == [(3, 3)]


def test_nothing_is_written_when_nothing_has_changed(world: World) -> None:
    world.sync(*family(value=-1.0))
    world.check()
    before = world.newest_batch(), world.rows("select xmin::text, quarantine_id from quality.quarantine order by 2")
    world.check()
    assert (world.newest_batch(), world.rows("select xmin::text, quarantine_id from quality.quarantine order by 2")) == before


def rows_with(negative: int, others: int) -> list[Change]:
    """Grands, so many of them negative."""
    values = [-1.0] * negative + [1.0] * others
    return [Change("grands", {"grand_id": number, "value": value, "best_id": None}) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("negative", "others", "reason"),
    [
        (9, 0, None),
        (10, 30, None),
        (11, 29, "11 of 40 rows fail is_not_negative, more than 25.00%"),
        (1, 40, "it fails is_small"),
        (11, 30, "it fails is_small; 11 of 41 rows fail is_not_negative, more than 25.00%"),
    ],
)
def test_table_of_which_too_much_is_wrong_holds_back_marts(world: World, negative: int, others: int, reason: str | None) -> None:
    world.sync(*rows_with(negative, others))
    world.check()
    held = {table: held.reason for table, held in held_tables(world.cursor).items()}
    assert held == ({("shop", "grands"): reason} if reason else {})
    assert len(world.marked()["grands"]) == (0 if world.source.has_outage("grands") else negative)
    _compare(world)


def test_table_is_held_since_it_was_first_found_and_let_go_when_it_is_mended(world: World) -> None:
    world.sync(*rows_with(0, 41))
    world.check()
    first = held_tables(world.cursor)
    world.sync(*rows_with(11, 30))
    world.check()
    again = held_tables(world.cursor)
    assert [held.since for held in again.values()] == [held.since for held in first.values()]
    world.sync(*(Change("grands", change.row, is_gone=True) for change in rows_with(11, 30)))
    world.check()
    assert held_tables(world.cursor) == {}


def test_check_that_cannot_be_asked_holds_back_marts(world: World) -> None:
    world.sync(*family())
    world.cursor.execute("alter table raw_shop.grands rename column value to worth")
    world.check()
    assert [held.reason for held in held_tables(world.cursor).values()] == ["it fails is_not_negative, is_not_low"]


@pytest.mark.parametrize("is_loading", [True, False])
def test_rows_wait_for_a_sync_and_their_tables_hold_back_marts_meanwhile(world: World, *, is_loading: bool) -> None:
    """One that has the lock, or one that has died in a first load, whose rows will be older than a batch of ours."""
    world.sync(*family(value=-1.0))
    with warehouse.connect("shop", world.url, LockingConnection) as syncing:
        if is_loading:
            world.cursor.execute("insert into ops.batches (system, capture, snapshot, started_at) values ('shop', 'horizon', '', now())")
            world.cursor.execute("update ops.batches set committed_at = null where batch_id = (select max(batch_id) from ops.batches)")
        else:
            syncing.lock("shop")
        world.check()
        assert not any(world.marked().values())
        assert [table for _, table in held_tables(world.cursor)] == ["children", "grands", "parents"]
        if not is_loading:
            syncing.release()
    world.cursor.execute("update ops.batches set committed_at = now() where committed_at is null")
    world.check()
    assert held_tables(world.cursor) == {}
    _compare(world)


@pytest.mark.parametrize(
    "tampering",
    [
        "update raw_shop.grands set _quarantined_at = null",
        "update raw_shop.parents set _quarantined_at = null",
        "delete from quality.quarantine where table_name = 'children'",
        """update quality.quarantine set key = '{"grand_id": 2}' where table_name = 'grands'""",
    ],
)
def test_accounts_tell_what_is_marked_without_a_reason_and_the_other_way_round(world: World, tampering: str) -> None:
    world.sync(*family(value=-1.0))
    world.check()
    assert sum(account.unaccounted for account in world.accounts().values()) == 0
    world.cursor.execute(tampering)
    assert sum(account.unaccounted for account in world.accounts().values()) > 0
    world.check()
    assert sum(account.unaccounted for account in world.accounts().values()) == 0
    assert json.dumps(sorted(map(len, world.marked().values()))) == "[1, 1, 1]"
