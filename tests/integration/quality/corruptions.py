"""Every way in which the tests corrupt raw tables and marts, and the check that must see it.

Belongs here: one corruption or more for every expectation of every suite (a contract test counts them), made by rules, or told: in `raw/`,
a file for each system, and in `marts/`, one for each folder of marts. Does not belong here: running them, and those that fail several
checks (`headlines`).

What is told of a check is what breaks it, each by itself: `<column> = <value>, …`, in one row; the same and ` where <condition>`, in one
row of those; or a statement of its own, about `{table}`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import yaml

from dagster_project.contracts.loading import load_contracts
from dagster_project.contracts.table import raw_schema
from dagster_project.postgres.schemas import CANDIDATES, PUBLISHED
from dagster_project.quality.metric_ranges import load_metric_ranges
from dagster_project.quality.suites import Expectation, Suite, load_suites
from dagster_project.scaffold.names import parent_check
from dagster_project.settings import has_migrations
from tests.histories.values import distinct
from tests.integration.quality.rows_of_marts import rows_of_marts

_CONTRACTS = load_contracts()

# Those of the systems that Runmart builds, whose clean rows the tests have, and those of marts.
SUITES = {name: suite for name, suite in load_suites().items() if suite.system == PUBLISHED or has_migrations(suite.system)}

_STATEMENT = re.compile(r"(insert into|update|delete from) \{table\} ")
_IN_FUTURE = re.compile(r".* where ((?:\w+ > _synced_at \+ interval '5 minutes'(?: or |$))+)")
_OF_A_KIND = re.compile(r".* where jsonb_typeof\((\w+)\) <> '(?:object|array)'")


@dataclass(frozen=True)
class Corruption:
    """One change of the clean warehouse.

    Attributes:
        suite: Name of the suite of the table that is changed.
        check: The check of it that must fail.
        what: What is done to the table.
        statement: The change.
    """

    suite: str
    check: str
    what: str
    statement: str


def qualified(suite: Suite) -> str:
    """The raw table, or the candidate of the mart, with its schema."""
    return f"{CANDIDATES if suite.system == PUBLISHED else raw_schema(suite.system)}.{suite.table}"


def update_of_one_row(suite: Suite, assignments: str, row: str = "true") -> str:
    """A statement that changes one row of those that meet a condition."""
    table = qualified(suite)
    return f"update {table} set {assignments} where ctid = (select min(ctid) from {table} where {row})"


def told() -> dict[str, Mapping[str, Sequence[str]]]:
    """By suite and check what is told to break it."""
    files = sorted((Path(__file__).parent / "raw").glob("*.yaml"))
    of_systems = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}
    of_raw = {f"{system}.{table}": checks for system, tables in of_systems.items() for table, checks in tables.items()}
    of_marts = {f"{PUBLISHED}.{mart}": rows.corruptions for marts in rows_of_marts().values() for mart, rows in marts.items()}
    return of_raw | of_marts


_TOLD = told()


def corruptions(suite: Suite) -> Iterator[Corruption]:
    """Corruptions for every expectation of a suite, alone or several each."""
    for expectation in suite.expectations:
        check = expectation.meta.check
        for what in _TOLD.get(suite.name, {}).get(check, ()):
            yield Corruption(suite.name, check, what, _statement(suite, what))
        for what, statement in _by_rule(suite, expectation):
            yield Corruption(suite.name, check, what, statement)


def _statement(suite: Suite, what: str) -> str:
    """The statement that does what is told."""
    if _STATEMENT.match(what):
        return what.replace("{table}", qualified(suite))
    assignments, _, row = what.partition(" where ")
    return update_of_one_row(suite, assignments, row or "true")


def _by_rule(suite: Suite, expectation: Expectation) -> Iterator[tuple[str, str]]:
    """What is done, and how, where the type, the name or the SQL of an expectation says what breaks it."""
    values = (*_of_its_type(expectation), *_of_its_name(suite, expectation), *_of_its_query(expectation.query))
    yield from ((assignments, update_of_one_row(suite, assignments)) for assignments in values)
    yield from _of_tables(suite, expectation)
    yield from _of_records(suite, expectation.meta.check)


def _of_its_type(expectation: Expectation) -> Iterator[str]:
    kwargs = expectation.kwargs
    if expectation.type == "expect_column_values_to_be_in_set":
        yield f"{kwargs['column']} = 'nonsense'"
    elif expectation.type == "expect_column_values_to_be_between":
        beyond = 0 if kwargs.get("strict_min") else 1
        limits = [kwargs[limit] + step for limit, step in (("min_value", -beyond), ("max_value", beyond)) if limit in kwargs]
        yield from (f"{kwargs['column']} = {value}" for value in limits)
    elif expectation.type == "expect_column_pair_values_a_to_be_greater_than_b":
        yield f"{kwargs['column_A']} = '2025-01-01 11:59:59', {kwargs['column_B']} = '2025-01-01 12:00:00'"


def _of_its_name(suite: Suite, expectation: Expectation) -> Iterator[str]:
    query, check = expectation.query, expectation.meta.check
    if check.endswith("_not_negative"):
        yield from (f"{column} = -1" for column in re.findall(r"(\w+) < 0", query))
    elif check.endswith("_has_parent"):
        yield _orphaned(suite, check)
    elif check in ("required_values_are_present", "defaults_are_present"):
        yield from (f"{column} = null" for column in re.findall(r"(\w+) is null", query))
    elif check == "values_are_finite":
        yield from (f"{column} = 'NaN'" for column in re.findall(r"cast\((\w+) as double precision\) in", query))
    elif check in ("values_are_possible", "values_are_within_convention"):
        yield from _beyond_ranges(is_possible=check == "values_are_within_convention")
    elif check == "rows_are_of_no_later_refresh":
        yield from ("source_batch_id = source_batch_id + 1", "refreshed_at = refreshed_at + interval '1 hour'")


def _of_its_query(query: str) -> Iterator[str]:
    if asked := _IN_FUTURE.fullmatch(query):
        yield from (f"{column} = _synced_at + interval '6 minutes'" for column in re.findall(r"(\w+) >", asked[1]))
    elif asked := _OF_A_KIND.fullmatch(query):
        yield from (f"{asked[1]} = '{neither}'" for neither in ('"text"', "null"))


def _orphaned(suite: Suite, check: str) -> str:
    """A value that no row of the parent has."""
    references = _CONTRACTS[suite.system].tables[suite.table].references
    ((column, *_),) = (reference.columns for reference in references if parent_check(reference.columns) == check)
    (columns,) = (each.query for each in suite.expectations if each.meta.check == "columns_are_as_declared")
    types = dict(re.findall(r"\('([^']+)', '([^']+)'\)", columns))
    return f"{column} = '{distinct(types[column], 30_000, '')}'"


def _beyond_ranges(*, is_possible: bool) -> Iterator[str]:
    """A value below and one above each range that is declared: values that are odd, but possible, or such that are not."""
    for entry in load_metric_ranges():
        possible = entry.possible or entry.expected
        low, high = entry.expected if is_possible else possible
        for value in (low - 0.001, high + 0.001):
            if isfinite(value) and (possible[0] <= value <= possible[1]) == is_possible:
                yield f"metric_name = '{entry.metric}', metric_value = {value}"


def _of_tables(suite: Suite, expectation: Expectation) -> Iterator[tuple[str, str]]:
    table, check = qualified(suite), expectation.meta.check
    if "unique" in expectation.type:
        yield "every row twice", f"insert into {table} select * from {table}"
    elif check == "columns_are_as_declared":
        yield "an extra column", f"alter table {table} add column surprise text"
        yield "a column renamed", f"alter table {table} rename column {suite.meta.key[0]} to renamed"
        yield "a column of another type", f"alter table {table} alter column {suite.meta.key[0]} type bytea using null"
    elif re.fullmatch(r"every_\w+_is_(there|counted)", check):
        yield "a row lost", f"delete from {table} where ctid = (select min(ctid) from {table})"
        yield "no row left", f"delete from {table}"
    elif check == "versions_do_not_overlap":
        for ended, valid_to in (("ended", "valid_from + interval '1 hour'"), ("an end", "null")):
            earlier = update_of_one_row(suite, f"valid_from = valid_from - interval '1 day', valid_to = {valid_to}")
            yield f"a second version before the first has {ended}", f"insert into {table} select * from {table}; {earlier}"


def _of_records(suite: Suite, check: str) -> Iterator[tuple[str, str]]:
    """What is wrong with Runmart's own records."""
    syncs = f"system = '{suite.system}' and table_name = '{suite.table}'"
    newest = f"{syncs} and batch_id = (select max(batch_id) from ops.table_syncs where {syncs})"
    if check == "row_count_equals_source":
        yield "rows lost", f"update ops.table_syncs set source_rows = source_rows + 100 where {newest}"
        yield "a row taken for deleted", update_of_one_row(suite, "_deleted_at = now()")
    elif check == "row_count_did_not_collapse":
        more = f"update ops.table_syncs set source_rows = source_rows * 2 + 201 where {syncs} and not ({newest})"
        yield "fewer than half of the rows left", more
        yield "no row left", f"update ops.table_syncs set source_rows = 0 where {newest}"
    elif check == "refreshed_within_24_hours":
        yield (
            "an old batch that is not reflected",
            "insert into ops.batches (batch_id, system, capture, snapshot, started_at, committed_at) overriding system value "
            "select 1000000, system, capture, snapshot, started_at, now() - interval '24 hours 1 second' from ops.batches limit 1",
        )
    elif check.startswith("synced_within_"):
        hours = int(re.sub(r"\D", "", check))
        yield "a stale source", f"update ops.table_syncs set synced_at = now() - interval '{hours} hours 1 second' where {syncs}"
        yield "never synced", f"delete from ops.table_syncs where {syncs}"
