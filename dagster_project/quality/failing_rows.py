"""The query that finds every row that breaks an expectation.

Belongs here: SQL per type of expectation, with the same verdict as Great Expectations for the same rows. Does not belong here: running it.
"""

from collections.abc import Callable
from typing import Any

from dagster_project.quality.suites import Expectation, Suite


def failing_query(suite: Suite, expectation: Expectation) -> str:
    """A query, runnable as it is, that returns each failing row once: its key and the values at fault."""
    if expectation.query:
        # Written as Great Expectations substitutes it: aliased, unless a JOIN has to name it.
        alias = "" if "{batch} as " in expectation.query else " as batch"
        return expectation.query.format(batch=f"({suite.rows_query}){alias}")
    return f"with this as ({suite.rows_query}) {_FAILING_ROWS[expectation.type](suite.meta.key, expectation.kwargs)}"


def _in_set(key: tuple[str, ...], kwargs: dict[str, Any]) -> str:
    column = _identifier(kwargs["column"])
    return f"{_select(key, kwargs['column'])} from this where {column} not in ({', '.join(map(_literal, kwargs['value_set']))})"


def _between(key: tuple[str, ...], kwargs: dict[str, Any]) -> str:
    column = _identifier(kwargs["column"])
    too_small = "<=" if kwargs.get("strict_min") else "<"
    too_large = ">=" if kwargs.get("strict_max") else ">"
    limits = (("min_value", too_small), ("max_value", too_large))
    broken = " or ".join(f"{column} {operator} {_literal(kwargs[limit])}" for limit, operator in limits if limit in kwargs)
    return f"{_select(key, kwargs['column'])} from this where {broken}"


def _ordered_pair(key: tuple[str, ...], kwargs: dict[str, Any]) -> str:
    operator = "<" if kwargs.get("or_equal") else "<="
    columns = kwargs["column_A"], kwargs["column_B"]
    return f"{_select(key, *columns)} from this where {_identifier(columns[0])} {operator} {_identifier(columns[1])}"


def _unique(key: tuple[str, ...], kwargs: dict[str, Any]) -> str:
    columns = kwargs.get("column_list") or [kwargs["column"]]
    group = ", ".join(map(_identifier, columns))
    counted = f"select *, count(*) over (partition by {group}) as copies from this where ({group}) is not null"
    return f"{_select(key, *columns)}, copies from ({counted}) as counted where copies > 1"


_FAILING_ROWS: dict[str, Callable[[tuple[str, ...], dict[str, Any]], str]] = {
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_be_between": _between,
    "expect_column_pair_values_a_to_be_greater_than_b": _ordered_pair,
    "expect_column_values_to_be_unique": _unique,
    "expect_compound_columns_to_be_unique": _unique,
}


def _select(key: tuple[str, ...], *columns: str) -> str:
    return "select " + ", ".join(map(_identifier, dict.fromkeys((*key, *columns))))


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: object) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
