"""What SQL singles out of the columns that it reads: values that it compares them with, keys that it takes from their documents.

Belongs here: reading compiled queries of PostgreSQL. Columns are told apart by name only, and a column goes by all names that it is given
on the way: what is found under a name is a proposal for every column of that name, and the database says which of them it can hold.
Does not belong here: which queries are read, and what is drawn.
"""

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.NullSafeEQ, exp.NullSafeNEQ)
_DOCUMENTS = (exp.JSONExtract, exp.JSONExtractScalar, exp.JSONBExtract, exp.JSONBExtractScalar)
# What a column may be wrapped in and still be the same.
_WRAPPING = (exp.Paren, exp.Cast, exp.Lower, exp.Upper, exp.Trim, exp.Coalesce, exp.Column, exp.Identifier, exp.DataType, exp.Literal)


@dataclass(frozen=True)
class SingledOut:
    """What queries say of columns, by the name that a column has where it comes from.

    Attributes:
        literals: Values that it is compared with, each with a weight: what stands alone is singled out more than one of a few, and that
            more than one of many. So a list of n weighs 1/n, and each value of it the n-th part of that.
        keys: Keys that are taken from its documents, each with the types, in SQL, that what is found is cast to, or functions that read it.
        meeting: Columns by which rows are grouped or joined.
        read: Columns that are read at all.
    """

    literals: Mapping[str, Mapping[str, float]]
    keys: Mapping[str, Mapping[str, Collection[str]]]
    meeting: frozenset[str]
    read: frozenset[str]


def singled_out(columns: Iterable[str], staging: Iterable[str], reading: Iterable[str]) -> SingledOut:
    """What queries say of these columns.

    Args:
        columns: Names at the source.
        staging: Queries that only give names to what they read.
        reading: Queries that do something with it.

    Raises:
        sqlglot.errors.ParseError: A query cannot be read.
    """
    renamings, queries = [_parsed(query) for query in staging], [_parsed(query) for query in reading]
    renamed: defaultdict[str, set[str]] = defaultdict(set)
    for old, new in (pair for query in (*renamings, *queries) for pair in _renamings(query)):
        renamed[old].add(new)
    called: defaultdict[str, list[str]] = defaultdict(list)
    for column in columns:
        for name in _all_names(column, renamed):
            called[name].append(column)
    literals: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    keys: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for query in queries:
        for name, listed in _literals(query):
            for column, literal in itertools.product(called[name], listed):
                literals[column][literal] += 1 / len(listed) ** 2
        for name, key, cast_to in _keys(query):
            for column in called[name]:
                keys[column][key].update(cast_to)
    return SingledOut(
        literals=literals,
        keys=keys,
        meeting=frozenset(column for query in queries for name in _meeting(query) for column in called[name]),
        read=frozenset(column for query in queries for found in query.find_all(exp.Column) for column in called[found.name]),
    )


def literals_of(condition: str) -> Iterator[str]:
    """Every literal of a condition, such as that of a check constraint."""
    for literal in _parsed(f"select {condition}").find_all(exp.Literal):
        yield _text(literal)


def _parsed(query: str) -> exp.Expr:
    return sqlglot.parse_one(query, dialect="postgres")


def _all_names(column: str, renamed: Mapping[str, set[str]]) -> set[str]:
    known, new = {column}, {column}
    while new:
        new = {other for name in new for other in renamed.get(name, ())} - known
        known |= new
    return known


def _only_column(expression: exp.Expr | None) -> str | None:
    """The name of the one column that an expression of single rows is made of, if it is one."""
    if expression is None or expression.find(exp.AggFunc):
        return None
    names = {column.name for column in expression.find_all(exp.Column)}
    return names.pop() if len(names) == 1 else None


def _renamings(query: exp.Expr) -> Iterator[tuple[str, str]]:
    for alias in query.find_all(exp.Alias):
        column = _only_column(alias.this)
        if column and all(isinstance(node, _WRAPPING) for node in alias.this.walk()):
            yield column, alias.alias


def _text(literal: exp.Expr) -> str:
    return f"-{literal.this}" if isinstance(literal.parent, exp.Neg) else str(literal.this)


def _literals(query: exp.Expr) -> Iterator[tuple[str, list[str]]]:
    """Columns, each with what one comparison names beside it."""
    for comparison in query.find_all(*_COMPARISONS, exp.In, exp.Between, exp.Case):
        column = _only_column(comparison.this)
        beside = [*comparison.expressions, comparison.args.get("low"), comparison.args.get("high")]
        if isinstance(comparison, _COMPARISONS):
            column = column or _only_column(comparison.expression)
            beside = [comparison.this, comparison.expression]
        elif isinstance(comparison, exp.Case):
            beside = [branch.this for branch in comparison.args["ifs"]]
        named = (value.this if isinstance(value, exp.Neg) else value for value in beside)
        literals = [_text(value) for value in named if isinstance(value, exp.Literal)]
        if column and literals:
            yield column, literals


def _keys(query: exp.Expr) -> Iterator[tuple[str, str, set[str]]]:
    for taken in query.find_all(*_DOCUMENTS):
        column, key = _only_column(taken.this), taken.expression.find(exp.JSONPathKey, exp.Literal)
        if column and key:
            around = taken.parent
            while isinstance(around, exp.Paren):
                around = around.parent
            yield column, str(key.this), _made_by(around)


def _made_by(around: exp.Expr | None) -> set[str]:
    """The type that a cast makes of what it is given, or the name of the function that makes something of it."""
    if isinstance(around, exp.Cast):
        return {around.to.sql("postgres").lower()}
    return {around.name.lower()} if isinstance(around, exp.Anonymous) else set()


def _meeting(query: exp.Expr) -> Iterator[str]:
    """Columns of equal values: those that are grouped, counted once, or joined by."""
    for group in query.find_all(exp.Group):
        yield from (column.name for column in group.find_all(exp.Column))
    for window in query.find_all(exp.Window):
        yield from (column.name for part in window.args.get("partition_by") or () for column in part.find_all(exp.Column))
    for select in query.find_all(exp.Select):
        if select.args.get("distinct"):
            yield from (column.name for part in select.expressions for column in part.find_all(exp.Column))
    for join in query.find_all(exp.Join):
        for same in join.args["on"].find_all(exp.EQ) if join.args.get("on") else ():
            if isinstance(same.this, exp.Column) and isinstance(same.expression, exp.Column):
                yield from (same.this.name, same.expression.name)
