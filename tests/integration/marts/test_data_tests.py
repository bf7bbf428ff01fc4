"""Each data test of dbt lets a row pass, and sees the fault that it is named after.

Its SQL is dbt's, as it is when all rows are tested, and reads rows that are made here, so that nothing else is wrong with them. Which rows
it reads in a refresh is held by `test_scope`.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import cast

import psycopg2
import pytest
import sqlglot
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.contracts.graph.nodes import CompiledNode
from psycopg2.extensions import cursor as Cursor
from sqlglot import exp

from dagster_project.resources.share import share_of
from tests.dbt_manifest import Node, project_manifest
from tests.histories.singled_out import literals_of
from tests.histories.values import usual
from tests.integration.marts.conftest import House, houses
from tests.integration.marts.oracle import refresh

TESTS = {node["name"]: node for node in project_manifest()["nodes"].values() if node["resource_type"] == "test"}
KEYED_AS_RAW = "keyed_as_raw"

_NUMBERS = ("integer", "bigint", "numeric", "double precision")
_RELATION = re.compile(r'"\w+"\."(\w+)"')

# A statement that changes nothing.
NOTHING = "select"

TESTED = "pg_temp.tested"
PARENT = "pg_temp.parent"
_TYPES = f"select quote_ident(attname), format_type(atttypid, null) from pg_attribute where attrelid = '{TESTED}'::regclass and attnum > 0"


def of_kind(*, is_key_of_raw: bool) -> list[tuple[str, str]]:
    """Houses and names of the data tests of their marts; what is in all warehouses is asked in each."""
    return [
        (house, name)
        for house, namespace in houses().items()
        for name, test in TESTS.items()
        if test["unique_id"] in share_of(namespace).manifest["nodes"] and (test["test_metadata"]["name"] == KEYED_AS_RAW) == is_key_of_raw
    ]


@pytest.fixture
def tested(request: pytest.FixtureRequest) -> House:
    """The house that a test names."""
    house: House = request.getfixturevalue(request.param)
    return house


@pytest.fixture(scope="module")
def known() -> dict[int, dict[str, str]]:
    """The queries of each house that was refreshed for them."""
    return {}


@pytest.fixture
def queries(tested: House, known: dict[int, dict[str, str]]) -> Mapping[str, str]:
    """By test, the query that finds what is wrong, as after a full refresh."""
    if id(tested) not in known:
        refresh(tested, "--full-refresh")
        with tested.under_way():
            compiled = tested.dbt("compile", "--select", "test_type:data")
        nodes = [cast("CompiledNode", entry.node) for entry in cast("RunExecutionResult", compiled.result).results]
        known[id(tested)] = {node.name: node.compiled_code or "" for node in nodes}
    return known[id(tested)]


@pytest.fixture
def cursor(tested: House) -> Iterator[Cursor]:
    """A cursor of the warehouse; nothing is committed."""
    with closing(psycopg2.connect(tested.warehouse_url)) as connection, connection.cursor() as cursor:
        yield cursor


def values_of(kind: str) -> tuple[str, ...]:
    """A few values of a type, in SQL, all different."""
    negative = ("-1",) if kind in _NUMBERS else ()
    return tuple(f"$${value}$$::{kind}" for value in (*usual(kind)[:4], *negative) or ("{}",))


def make_row(cursor: Cursor, relation: str) -> dict[str, str]:
    """Make a table like a relation, with one row; gives the types of its columns."""
    cursor.execute(f"create temporary table tested on commit drop as select * from {relation} limit 0; {_TYPES}")
    types = dict(cursor.fetchall())
    cursor.execute(f"insert into {TESTED} ({', '.join(types)}) values ({', '.join(values_of(kind)[0] for kind in types.values())})")
    return types


def sides_of(cursor: Cursor, types: Mapping[str, str], expression: str) -> tuple[str, str]:
    """What a row is set to so that an expression is true of it, and so that it is false; found by trial."""
    columns = sorted({column.name for column in sqlglot.parse_one(expression, dialect="postgres").find_all(exp.Column)})
    literals = [f"$${literal}$$::text" for literal in literals_of(expression)]
    tried = [(*literals, *values_of(types[column])) if types[column] == "text" else values_of(types[column]) for column in columns]
    tables = " cross join ".join(
        f"unnest(array[{', '.join(values)}]) as t{column} ({column})" for column, values in zip(columns, tried, strict=True)
    )
    texts = ", ".join(f"{column}::text" for column in columns)
    asked = f"cross join lateral (select {expression} as is_true) as asked"
    cursor.execute(f"select distinct on (is_true) is_true, {texts} from {tables} {asked}")
    set_to = {
        is_true: ", ".join(f"{column} = $${value}$$" for column, value in zip(columns, values, strict=True))
        for is_true, *values in cursor.fetchall()
    }
    return set_to[True], set_to[False]


def make_fault(cursor: Cursor, test: Node, types: Mapping[str, str]) -> tuple[str, str]:
    """The statement after which a data test must pass, and that after which it must not."""
    kind, arguments = test["test_metadata"]["name"], test["test_metadata"]["kwargs"]
    column = arguments.get("column_name")
    update = f"update {TESTED} set "
    match kind:
        case "not_null":
            return NOTHING, f"{update}{column} = null"
        case "unique" | "unique_grain":
            return NOTHING, f"insert into {TESTED} table {TESTED}"
        case "accepted_values":
            return f"{update}{column} = '{arguments['values'][0]}'", f"{update}{column} = 'nonsense'"
        case "relationships":
            parent = f"create temporary table parent on commit drop as select {column} as {arguments['field']} from {TESTED}"
            return parent, f"{update}{column} = {values_of(types[column])[1]}"
        case "holds":
            right, wrong = sides_of(cursor, types, arguments["expression"])
            return update + right, update + wrong
        case "has_all_executions":
            live = "null::timestamptz as _deleted_at, null::timestamptz as _quarantined_at"
            none = f"create temporary table parent on commit drop as select {live} limit 0"
            return f"{none}; delete from {TESTED}", f"insert into {PARENT} select {live}"
        case _:
            raise AssertionError(f"say in {__name__} what a data test {kind} must see")


def found_after(cursor: Cursor, query: str, *statements: str) -> list[bool]:
    """Whether a query finds something, after each of some statements."""
    found = []
    for statement in statements:
        cursor.execute(statement)
        cursor.execute(query)
        found.append(bool(cursor.fetchall()))
    return found


@pytest.mark.parametrize(("tested", "name"), of_kind(is_key_of_raw=False), indirect=["tested"])
def test_a_data_test_sees_its_fault(cursor: Cursor, queries: Mapping[str, str], name: str) -> None:
    test, query = TESTS[name], queries[name]
    model = test["attached_node"].rpartition(".")[2]
    (own,) = {found[0] for found in _RELATION.finditer(query) if found[1] == model}
    query = _RELATION.sub(lambda found: TESTED if found[0] == own else PARENT, query)
    passes, fails = make_fault(cursor, test, make_row(cursor, own))
    assert found_after(cursor, query, passes, fails) == [False, True]


@pytest.mark.parametrize(("tested", "name"), of_kind(is_key_of_raw=True), indirect=["tested"])
def test_a_key_that_raw_does_not_have_is_seen(tested: House, cursor: Cursor, queries: Mapping[str, str], name: str) -> None:
    (source,) = (node for node in TESTS[name]["depends_on"]["nodes"] if node.startswith("source."))
    raw = tested.manifest["sources"][source]["relation_name"]
    cursor.execute("select quote_ident(conname) from pg_constraint where conrelid = %s::regclass and contype = 'p'", [raw])
    ((key,),) = cursor.fetchall()
    assert found_after(cursor, queries[name], NOTHING, f"alter table {raw} drop constraint {key}") == [False, True]
