"""What the expectations of a suite ask, taken apart: how far the verdict on a row reaches, and what else it reads.

Belongs here: sorting expectations by their types and their SQL. Does not belong here: the statements that ask them (`compiling`), and which
rows have to be asked about (`asked_rows`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Any

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError

from dagster_project.marts.postgres.names import columns, literal, quoted
from dagster_project.quality.suites import Expectation, Suite

# A relation: its schema and its name.
Relation = tuple[str, str]

# What queries of suites begin with: the rows that they are about, under the name `this`.
_ROWS = re.compile(r"with (?:recursive )?this as (?:not materialized )?\(select \* from \{batch\}(?: as batch)?\)(?P<rest>.*)", re.DOTALL)
_COUNTED = re.compile(r"select count\(\*\)(?P<name>(?: as \w+)?) from this(?=\))")
_COUNTED_RAW = re.compile(
    r"select count\(\*\) from (?P<schema>\w+)\.(?P<table>\w+) where _deleted_at is null and _quarantined_at is null(?=\))"
)
_CLOCK = re.compile(r"\bnow\(\)|\bcurrent_(?:timestamp|date|time)\b|\bclock_timestamp\(\)")

# What a condition on single rows is made without.
_OF_MANY_ROWS = (exp.AggFunc, exp.Window, exp.Group, exp.Having, exp.Order, exp.Limit, exp.Fetch, exp.Offset, exp.Distinct)
_PARTS = (TokenType.SELECT, TokenType.FROM, TokenType.WHERE)


class Reach(StrEnum):
    """How far the verdict on a row depends on others."""

    # On the row, and on rows that foreign keys lead to from it.
    ROW = "row"
    # On all rows that have some values in common with it. A row that leaves cannot make those that stay fail.
    GROUP = "group"
    # On all rows.
    TABLE = "table"
    # There is no row: records of Runmart's own work, how many rows there are, the catalog. These are asked each time.
    RECORDS = "records"


@dataclass(frozen=True)
class Source:
    """Where single rows are taken from, each with what is looked up for it.

    Attributes:
        lookups: Further queries after `this`, each begins with a comma; empty if there are none.
        relations: What follows `from`.
    """

    lookups: str = ""
    relations: str = "this"


@dataclass(frozen=True)
class Condition:
    """What is asked of single rows: rules with one source can be asked in one pass.

    Attributes:
        source: Where they are taken from.
        broken: SQL that is true for a row that fails.
        shown: SQL of what is shown of it.
    """

    source: Source
    broken: str
    shown: str


@dataclass(frozen=True)
class Rule:
    """One expectation that can be compiled.

    Attributes:
        check: Name of the check.
        reach: How far the verdict on a row depends on others.
        condition: What is asked of single rows; None where it takes a query to say that.
        query: The query that finds failing rows, with `{batch}` where it reads the rows that it is about; empty if there is a condition.
        shown: Columns of a failing row, or of the query, that tell what is wrong with it.
        key: Those of them by which it is known again.
        within: By column of the query, the SQL that makes of a row what the rows of its group have in common.
        relations: What it reads beside the rows that it is about.
        is_timely: Whether the passing of time alone changes the verdict.
        unique: The columns of which no two rows may have the same values, if it says nothing else.
    """

    check: str
    reach: Reach
    condition: Condition | None
    query: str
    shown: tuple[str, ...]
    key: tuple[str, ...]
    within: Mapping[str, str]
    relations: frozenset[Relation]
    is_timely: bool
    unique: tuple[str, ...] = ()


def rule(suite: Suite, expectation: Expectation) -> Rule | None:
    """Take an expectation apart; None if it is of a type, or says something, that cannot be compiled."""
    return _taken_apart(suite.meta.key, expectation.model_dump_json())


@cache
def _taken_apart(key: tuple[str, ...], document: str) -> Rule | None:
    """What an expectation on rows with this key asks. SQL takes long to read, and is asked for often."""
    expectation = Expectation.model_validate_json(document)
    make = _TYPES.get(expectation.type)
    return make(key, expectation) if make else None


def _of_condition(condition: Callable[[Mapping[str, Any]], tuple[str, tuple[str, ...]]]) -> Callable[[tuple[str, ...], Expectation], Rule]:
    """Rules of a type that asks each row by itself."""

    def make(key: tuple[str, ...], expectation: Expectation) -> Rule:
        broken, asked = condition(expectation.kwargs)
        shown = tuple(dict.fromkeys((*key, *asked)))
        of_rows = Condition(Source(), broken, columns(shown))
        return Rule(expectation.meta.check, Reach.ROW, of_rows, "", shown, key, {}, frozenset(), is_timely=False)

    return make


def _in_set(kwargs: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    allowed = ", ".join(map(_literal, kwargs["value_set"]))
    return f"{quoted(kwargs['column'])} not in ({allowed})", (kwargs["column"],)


def _between(kwargs: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    column = quoted(kwargs["column"])
    limits = (("min_value", "<=" if kwargs.get("strict_min") else "<"), ("max_value", ">=" if kwargs.get("strict_max") else ">"))
    broken = (f"{column} {operator} {_literal(kwargs[limit])}" for limit, operator in limits if kwargs.get(limit) is not None)
    return " or ".join(broken), (kwargs["column"],)


def _ordered_pair(kwargs: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    columns = kwargs["column_A"], kwargs["column_B"]
    operator = "<" if kwargs.get("or_equal") else "<="
    return f"{quoted(columns[0])} {operator} {quoted(columns[1])}", columns


def _unique(key: tuple[str, ...], expectation: Expectation) -> Rule:
    unique = tuple(expectation.kwargs.get("column_list") or [expectation.kwargs["column"]])
    shown = tuple(dict.fromkeys((*key, *unique)))
    repeated = (
        f"select {columns(unique)}, count(*) as copies from this where ({columns(unique)}) is not null "
        f"group by {columns(unique)} having count(*) > 1"
    )
    query = (
        f"with this as not materialized (select * from {{batch}}) select {columns(shown, 'this')}, repeated.copies "
        f"from this inner join ({repeated}) as repeated on ({columns(unique, 'this')}) = ({columns(unique, 'repeated')})"
    )
    return Rule(
        expectation.meta.check,
        Reach.GROUP,
        None,
        query,
        (*shown, "copies"),
        key,
        {column: quoted(column) for column in unique},
        frozenset(),
        is_timely=False,
        unique=unique,
    )


def _of_query(key: tuple[str, ...], expectation: Expectation) -> Rule | None:
    found, meta = _ROWS.fullmatch(expectation.query), expectation.meta
    try:
        tree = sqlglot.parse_one(expectation.query.format(batch="batch_of_rows"), dialect="postgres")
    except (SqlglotError, IndexError, KeyError, ValueError):
        return None
    if not found or not isinstance(tree, exp.Select):
        return None
    shown = tuple(tree.named_selects)
    relations = frozenset((table.db, table.name) for table in tree.find_all(exp.Table) if table.db)
    is_timely = _CLOCK.search(expectation.query) is not None
    if meta.level == "row" and not is_timely and {*key} <= {*shown}:
        condition = _condition(found["rest"].format(), shown) if _is_of_single_rows(tree) and "{batch" not in found["rest"] else None
        query = "" if condition else expectation.query
        return Rule(meta.check, Reach.ROW, condition, query, shown, key, {}, relations, is_timely=False)
    reach = Reach.GROUP if meta.within else Reach.TABLE
    if not re.search(r"\bthis\b", _COUNTED.sub("", found["rest"])):
        reach = Reach.RECORDS
    known_by = meta.key or (key if {*key} <= {*shown} else tuple(meta.within))
    return Rule(meta.check, reach, None, expectation.query, shown, known_by, meta.within, relations, is_timely)


def _is_of_single_rows(tree: exp.Select) -> bool:
    """Whether a query, beside what it looks up, is a condition on single rows: no query within it, and nothing about many rows."""
    parts = [part for part in tree.find_all(exp.Select, *_OF_MANY_ROWS) if part.find_ancestor(exp.CTE) is None]
    return parts == [tree] and not any(isinstance(each, exp.Star) or each.is_star for each in tree.selects)


def _condition(rest: str, shown: Sequence[str]) -> Condition | None:
    """The condition that follows `this`, as it is written; None if there is none.

    Args:
        rest: What follows `this`.
        shown: Names of the columns that are selected. One that is there twice is shown once.
    """
    depth, before, places, commas = 0, None, dict[TokenType, tuple[int, int]](), list[int]()
    for token in sqlglot.tokenize(rest, dialect="postgres"):
        kind = token.token_type
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(kind, 0)
        # Values are distinct from others, too.
        if not depth and kind in _PARTS and before is not TokenType.DISTINCT:
            places.setdefault(kind, (token.start, token.end + 1))
        elif not depth and kind is TokenType.COMMA:
            commas.append(token.start)
        before = kind
    if len(places) < len(_PARTS):
        return None
    (selects, first), (ends, relations), (is_limited, broken) = (places[part] for part in _PARTS)
    cuts = [first - 1, *(place for place in commas if first <= place < ends), ends]
    columns_of = dict(zip(reversed(shown), reversed([rest[cut + 1 : end].strip() for cut, end in pairwise(cuts)]), strict=True))
    source = Source(rest[:selects].strip(), rest[relations:is_limited].strip())
    return Condition(source, rest[broken:].strip(), ", ".join(columns_of[name] for name in dict.fromkeys(shown)))


def with_count(query: str, rows: int) -> str:
    """A query in which the number of rows that it is about, where it counts them, is given."""
    return _COUNTED.sub(lambda found: f"select cast({rows} as bigint){found['name']}", query)


def raw_tables_counted(query: str) -> set[Relation]:
    """The raw tables of which a query counts the rows that marts read."""
    return {(found["schema"], found["table"]) for found in _COUNTED_RAW.finditer(query)}


def with_raw_counts(query: str, rows: Mapping[Relation, int]) -> str:
    """A query in which the numbers of raw rows that marts read, where it counts these, are given as far as they are known."""

    def given(found: re.Match[str]) -> str:
        number = rows.get((found["schema"], found["table"]))
        return found[0] if number is None else f"select cast({number} as bigint)"

    return _COUNTED_RAW.sub(given, query)


_TYPES: Mapping[str, Callable[[tuple[str, ...], Expectation], Rule | None]] = {
    "expect_column_values_to_be_in_set": _of_condition(_in_set),
    "expect_column_values_to_be_between": _of_condition(_between),
    "expect_column_pair_values_a_to_be_greater_than_b": _of_condition(_ordered_pair),
    "expect_column_values_to_be_unique": _unique,
    "expect_compound_columns_to_be_unique": _unique,
    "unexpected_rows_expectation": _of_query,
}


def _literal(value: object) -> str:
    return literal(value) if isinstance(value, str) else str(value)
