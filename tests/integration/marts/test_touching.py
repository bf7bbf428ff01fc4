"""Touched groups: what SQL finds in raw tables is what walking from each changed row finds, over keys of all shapes.

So are the rows behind a group: those that touch it when they change.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import Json

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import ForeignKey
from dagster_project.marts.influence import Hop, Influence, influence
from dagster_project.marts.lineage import Group, Project
from dagster_project.marts.plan import Family, Plan
from dagster_project.marts.postgres.names import columns, literal, relation, stand_in
from dagster_project.marts.postgres.names import row as as_row
from dagster_project.marts.postgres.rows_behind import RowsBehind
from dagster_project.marts.postgres.touching import Touching
from dagster_project.postgres.cursors import leaving_nothing
from dagster_project.resources.embedded import EmbeddedServer

SEEN = 5
_TYPES = {"code": "text", "customer_id": "uuid", "recommended_by": "uuid", "sku": "text", "country_code": "text"}

# Keys of one column and of two, of several types; a reference to the same table, and one to a column that is not the key.
SHOP = SystemContract.model_validate(
    {
        "system": "shop",
        "description": "A shop.",
        "freshness": {"warn_after_hours": 1, "error_after_hours": 2},
        "tables": {
            "countries": {"description": "c", "key": ["code"], "columns": ["code"]},
            "customers": {
                "description": "c",
                "key": ["customer_id"],
                "columns": ["customer_id", "country_code", "recommended_by"],
                "foreign_keys": {"country_code": "countries.code", "recommended_by": "customers.customer_id"},
            },
            "products": {"description": "p", "key": ["product_id"], "columns": ["product_id", "sku"]},
            "orders": {
                "description": "o",
                "key": ["branch", "number"],
                "columns": ["branch", "number", "customer_id"],
                "foreign_keys": {"customer_id": "customers.customer_id"},
            },
            "lines": {
                "description": "l",
                "key": ["line_id"],
                "columns": ["line_id", "branch", "number", "sku"],
                "foreign_keys": {"sku": "products.sku"},
                "composite_foreign_keys": [{"columns": ["branch", "number"], "parent": "orders", "parent_columns": ["branch", "number"]}],
            },
            "notes": {
                "description": "n",
                "key": ["note_id"],
                "columns": ["note_id", "customer_id"],
                "foreign_keys": {"customer_id": "customers.customer_id"},
            },
        },
    }
)
Key = tuple[Any, ...]


@dataclass
class Row:
    """A raw row: values by column, its batch, whether it has gone, and the foreign keys that it had before."""

    values: dict[str, Any]
    batch: int
    is_deleted: bool
    moved_from: list[dict[str, Any]] = field(default_factory=list)

    def of(self, columns: tuple[str, ...]) -> Key:
        return tuple(self.values[column] for column in columns)


State = dict[str, list[Row]]


def value(chance: random.Random, column: str, number: int) -> object:
    """One of few values of a column, so that rows meet."""
    if _TYPES.get(column) == "uuid":
        return f"00000000-0000-0000-0000-{number:012d}"
    return f"{column[0]}{number}" if column in _TYPES else number


def state(seed: int) -> State:
    """Rows of all tables; what they refer to need not be there."""
    chance = random.Random(seed)  # noqa: S311
    rows: State = {}
    for name, table in SHOP.tables.items():
        keys = {tuple(value(chance, column, chance.randint(1, 4)) for column in table.key) for _ in range(6)}
        rows[name] = []
        for key in sorted(keys):
            values = {column: value(chance, column, chance.randint(1, 4)) for column in table.columns} | dict(
                zip(table.key, key, strict=True)
            )
            for reference in table.references:
                if chance.random() < 0.2 and not {*reference.columns} & {*table.key}:
                    values |= dict.fromkeys(reference.columns)
            left = {column: value(chance, column, chance.randint(1, 4)) for column in table.referring_columns}
            moved = [left] if left and chance.random() < 0.3 else []
            rows[name].append(Row(values, SEEN + chance.choice([-1, 0, 0, 0, 1, 2]), chance.random() < 0.2, moved))
    return rows


def touched(rows: State, ways: Influence) -> dict[Key, int]:
    """Groups and the last batch that touched them, by following one key after the other from row to row."""
    reached: Counter[tuple[str, Key]] = Counter()
    for table in {ways.group, *(hop.child for hop in ways.hops), *(hop.parent for hop in ways.hops)}:
        reached |= Counter({(table, key_of(table, row)): row.batch for row in rows[table] if row.batch > SEEN})
    for hop in ways.sideways:
        reached |= above(rows, hop, reached)
    for hop in ways.downward:
        for child in [replace(row, moved_from=[]) for row in rows[hop.child] if not row.is_deleted]:
            for key in parents(rows, hop.key, child):
                reached |= Counter({(hop.child, key_of(hop.child, child)): reached[hop.parent, key]})
    for hop in ways.upward:
        reached |= above(rows, hop, reached)
    return {key: batch for (table, key), batch in reached.items() if table == ways.group and None not in key}


def key_of(table: str, row: Row) -> Key:
    return row.of(SHOP.tables[table].key)


def above(rows: State, hop: Hop, reached: Counter[tuple[str, Key]]) -> Counter[tuple[str, Key]]:
    """What a change reaches by a key upward: from changed rows, and from live ones that it has reached."""
    found: Counter[tuple[str, Key]] = Counter()
    for row in rows[hop.child]:
        own = row.batch if row.batch > SEEN else 0
        batch = max(own, 0 if row.is_deleted else reached[hop.child, key_of(hop.child, row)])
        found |= Counter({(hop.parent, key): batch for key in parents(rows, hop.key, row)})
    return found


def parents(rows: State, key: ForeignKey, row: Row) -> list[Key]:
    """Keys of the rows that a row refers to, and has referred to if it has changed."""
    left = [tuple(each[column] for column in key.columns) for each in row.moved_from] if row.batch > SEEN else []
    parent_key, referred = SHOP.tables[key.parent].key, [row.of(key.columns), *left]
    if {*key.parent_columns} == {*parent_key}:
        return [tuple(each[key.parent_columns.index(column)] for column in parent_key) for each in referred if None not in each]
    return [parent.of(parent_key) for parent in rows[key.parent] if parent.of(key.parent_columns) in referred]


@pytest.fixture(scope="module")
def shop(server: EmbeddedServer) -> Iterator[psycopg2.extensions.connection]:
    """A database with the empty raw tables of the shop."""
    server.ensure_database("touching")
    with closing(psycopg2.connect(server.url("touching"))) as connection:
        with connection.cursor() as cursor:
            cursor.execute("create schema raw_shop")
            for name, table in SHOP.tables.items():
                columns = ", ".join(f'"{column}" {_TYPES.get(column, "integer")}' for column in table.columns)
                cursor.execute(f"create table raw_shop.{name} ({columns}, _batch_id bigint, _deleted_at timestamptz, _moved_from jsonb)")
        yield connection


def fill(connection: psycopg2.extensions.connection, rows: State) -> None:
    with connection.cursor() as cursor:
        for name, entries in rows.items():
            cursor.execute(f"delete from raw_shop.{name}")
            for row in entries:
                columns = [*row.values, "_batch_id", "_deleted_at", "_moved_from"]
                values = [
                    *row.values.values(),
                    row.batch,
                    "now" if row.is_deleted else None,
                    Json(row.moved_from) if row.moved_from else None,
                ]
                names, places = ", ".join(f'"{column}"' for column in columns), ", ".join(["%s"] * len(columns))
                cursor.execute(f"insert into raw_shop.{name} ({names}) values ({places})", values)


GROUPS = [
    ("customers", {"orders", "lines", "notes"}),
    ("customers", {"countries", "orders"}),
    ("orders", {"lines", "products", "customers", "countries"}),
    ("orders", {"customers", "notes"}),
    ("lines", {"orders", "customers"}),
    ("countries", {"customers", "orders", "lines"}),
    ("products", {"lines"}),
    ("products", {"lines", "orders"}),
]


@pytest.mark.parametrize(("group", "behind"), GROUPS)
def test_sql_finds_what_walking_finds(shop: psycopg2.extensions.connection, group: str, behind: set[str]) -> None:
    ways = influence(SHOP, group, behind, is_compared=lambda _: False)
    some = 0
    for seed in range(30):
        rows = state(seed)
        fill(shop, rows)
        with shop.cursor() as cursor:
            cursor.execute(Touching(SHOP, ways, SEEN).query())
            found = {tuple(row[:-1]): row[-1] for row in cursor.fetchall()}
            changed = {table for table, listed in rows.items() if any(row.batch > SEEN for row in listed)}
            cursor.execute(Touching(SHOP, ways, SEEN, changed=changed).query())
            assert {tuple(row[:-1]): row[-1] for row in cursor.fetchall()} == found, seed
        assert found == touched(rows, ways), seed
        some += bool(found)
    assert some > 20


@pytest.mark.parametrize(("group", "behind"), GROUPS)
def test_tables_without_changes_are_not_asked(shop: psycopg2.extensions.connection, group: str, behind: set[str]) -> None:
    """Each table alone; what it touches is found, and where it touches nothing nothing is."""
    ways = influence(SHOP, group, behind, is_compared=lambda _: False)
    for seed in range(5):
        rows = state(seed)
        for changed in (*rows, None):
            alone = {
                table: [replace(row, batch=row.batch if table == changed else min(row.batch, SEEN)) for row in listed]
                for table, listed in rows.items()
            }
            fill(shop, alone)
            with shop.cursor() as cursor:
                query = Touching(SHOP, ways, SEEN, changed={changed} if changed else ()).query()
                cursor.execute(query)
                assert {tuple(row[:-1]): row[-1] for row in cursor.fetchall()} == touched(alone, ways), (seed, changed)
            asked = {table for table in rows if f'"{table}"\nwhere _batch_id >' in query}
            assert asked <= {changed}


@pytest.mark.parametrize(("group", "behind"), GROUPS)
def test_groups_that_others_lead_to_are_found_without_those_that_have_changed_themselves(
    shop: psycopg2.extensions.connection, group: str, behind: set[str]
) -> None:
    ways = influence(SHOP, group, behind, is_compared=lambda _: False)
    key = SHOP.tables[group].key
    some = 0
    for seed in range(30):
        rows = state(seed)
        older = [replace(row, batch=min(row.batch, SEEN)) for row in rows[group]]
        changed = {tuple(row.values[column] for column in key) for row in rows[group] if row.batch > SEEN}
        fill(shop, rows)
        with shop.cursor() as cursor:
            cursor.execute(Touching(SHOP, ways, SEEN, is_of_others=True).query())
            found = {tuple(row[:-1]): row[-1] for row in cursor.fetchall() if tuple(row[:-1]) not in changed}
        by_others = {found: batch for found, batch in touched({**rows, group: older}, ways).items() if found not in changed}
        assert found == by_others, seed
        some += bool(found)
    assert some


@pytest.mark.parametrize(("group", "behind"), GROUPS)
def test_no_hop_is_for_nothing(shop: psycopg2.extensions.connection, group: str, behind: set[str]) -> None:
    """Without any one of them, groups are missed."""
    ways = influence(SHOP, group, behind, is_compared=lambda _: False)
    missed: dict[Hop, bool] = dict.fromkeys(ways.hops, False)
    for seed in range(300):
        left = [hop for hop, is_missed in missed.items() if not is_missed]
        if not left:
            break
        fill(shop, state(seed))
        with shop.cursor() as cursor:
            cursor.execute(Touching(SHOP, ways, SEEN).query())
            all_found = {*cursor.fetchall()}
            for hop in left:
                cursor.execute(Touching(SHOP, ways.without(hop), SEEN).query())
                missed[hop] |= {*cursor.fetchall()} != all_found
    assert [str(hop) for hop, is_missed in missed.items() if not is_missed] == []


def test_rows_of_one_table_see_each_other(shop: psycopg2.extensions.connection) -> None:
    ways = influence(SHOP, "customers", {"customers"}, is_compared=lambda column: column == "recommended_by")
    one, two, three, four = (f"00000000-0000-0000-0000-{number:012d}" for number in range(1, 5))

    def customer(key: str, above: str | None, batch: int, *left: str) -> Row:
        values = {"customer_id": key, "country_code": None, "recommended_by": above}
        return Row(values, batch, is_deleted=False, moved_from=[{"recommended_by": each, "country_code": None} for each in left])

    rows: State = {name: [] for name in SHOP.tables}
    rows["customers"] = [customer(one, None, 0), customer(two, one, SEEN + 1, four), customer(three, two, 0), customer(four, None, 0)]
    fill(shop, rows)
    with shop.cursor() as cursor:
        cursor.execute(Touching(SHOP, ways, SEEN).query())
        assert {key for key, _ in cursor.fetchall()} == {one, two, three, four}
        family = Family("mart", Group("shop", "customers", {}), ways, (), ())
        assert behind(cursor, family, (two,), {"customers"}) == {("customers", (key,)) for key in (one, two, three)}


def behind(cursor: psycopg2.extensions.cursor, family: Family, key: Key, wanted: set[str]) -> set[tuple[str, Key]]:
    """The rows behind a group by table and key, each found once; the group is that of a row of a mart."""
    shown = relation("pg_temp", "shown")
    ways = RowsBehind(Plan(Project({}), {"shop": SHOP}, (family,)), family, shown)
    names = columns(SHOP.tables[family.group.table].key)
    made = ", ".join(f'{made} as "{name}"' for name, made in family.group.columns.items()) or names
    found: list[tuple[str, Key]] = []
    with leaving_nothing(cursor):
        values = ", ".join(literal(str(each)) for each in key)
        typed = f"(select {names} from {relation('raw_shop', family.group.table)} where false union all select {values}) as known"
        cursor.execute(f"create temporary table shown as select {made} from {typed}")
        copied: list[str] = []
        for table in ways.tables(wanted):
            copies, own = relation(*stand_in("raw_shop", table)), SHOP.tables[table].key
            cursor.execute(f"create temporary table {copies} (like raw_shop.{table})")
            for condition in ways.conditions(table, copied):
                is_new = f"{as_row(own, 'raw')} not in (select {columns(own)} from {copies})"
                cursor.execute(
                    f"insert into {copies} select * from raw_shop.{table} as raw where _deleted_at is null and {condition} and {is_new}"
                )
            copied.append(table)
            cursor.execute(f"select {columns(own)} from {copies}")
            found += [(table, each) for each in cursor.fetchall() if table in wanted]
    assert len({*found}) == len(found)
    return {*found}


def changed_alone(rows: State) -> Iterator[tuple[str, Row, State]]:
    """Each live row, and the live rows where nothing but it has changed."""
    still = {table: [replace(row, batch=0, moved_from=[]) for row in entries if not row.is_deleted] for table, entries in rows.items()}
    for table, entries in still.items():
        for number, row in enumerate(entries):
            changed = replace(row, batch=SEEN + 1)
            yield table, row, {**still, table: [*entries[:number], changed, *entries[number + 1 :]]}


@pytest.mark.parametrize("is_named_otherwise", [False, True])
@pytest.mark.parametrize(("group", "tables"), GROUPS)
def test_rows_behind_a_group_are_those_that_touch_it(
    shop: psycopg2.extensions.connection, group: str, tables: set[str], is_named_otherwise: bool
) -> None:
    ways = influence(SHOP, group, tables, is_compared=lambda _: False)
    key = SHOP.tables[group].key
    named = {"name": f"concat_ws('-', {columns(key)})"} if is_named_otherwise else {}
    family = Family("mart", Group("shop", group, named), ways, (), ())
    seen: set[str] = set()
    for seed in range(8):
        rows = state(seed)
        fill(shop, rows)
        touching = {(table, key_of(table, row)): touched(changed, ways) for table, row, changed in changed_alone(rows) if table in tables}
        for each in sorted({key for keys in touching.values() for key in keys})[:5]:
            expected = {row for row, keys in touching.items() if each in keys}
            with shop.cursor() as cursor:
                assert behind(cursor, family, each, tables) == expected, (seed, each)
            seen |= {table for table, _ in expected}
    assert seen == tables
