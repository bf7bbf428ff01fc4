"""The suites of a draft: what holds for every raw table, its key and its foreign keys.

Belongs here: the expectations that a catalog justifies. Does not belong here: those that need to know the business; a person adds them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from dagster_project.contracts import raw_columns
from dagster_project.contracts.table import BoundTable, ForeignKey
from dagster_project.quality.suites import Expectation, ExpectationMeta, Severity, Suite, SuiteMeta
from dagster_project.scaffold.drafting import Draft
from dagster_project.scaffold.names import parent_check, quoted, snake_case
from dagster_project.scaffold.raw_types import RawTypes


def suites(draft: Draft, types: RawTypes) -> Iterator[Suite]:
    """One suite per table."""
    contract = draft.contract
    for table in contract.bound_tables():
        expectations = (
            _columns(table, types.of[table.name]),
            *_key(table),
            *(_parent(draft, table, reference) for reference in table.declared.references),
            *(_readable(table, column) for column, kind in types.of[table.name].items() if kind == "json"),
            _row_count(table),
            _collapse(table),
            _synced(table, contract.freshness.warn_after_hours, Severity.WARNING),
            _synced(table, contract.freshness.error_after_hours, Severity.CRITICAL),
        )
        yield Suite(name=f"{table.system}.{table.name}", meta=SuiteMeta(key=table.key), expectations=expectations)


def _columns(table: BoundTable, types: Mapping[str, str]) -> Expectation:
    declared = {**{column: types[column] for column in table.columns}, **raw_columns.TYPES}
    values = ", ".join(f"('{column}', '{kind}')" for column, kind in declared.items())
    return _query(
        "columns_are_as_declared",
        "table",
        "The raw table has the declared columns with the declared types, and no others.",
        "with this as (select * from {batch} as batch) select coalesce(declared.column_name, found.column_name) as column_name, "
        f"declared.type as declared_type, found.type as found_type from (values {values}) as declared (column_name, type) "
        "full join (select cast(attname as text) as column_name, format_type(atttypid, null) as type from pg_catalog.pg_attribute "
        f"where attrelid = to_regclass('{table.raw_name}') and attnum > 0 and not attisdropped) as found "
        "on found.column_name = declared.column_name where found.type is distinct from declared.type",
        key=("column_name",),
    )


def _key(table: BoundTable) -> Iterator[Expectation]:
    key = table.key
    if not key:
        return
    names = ", ".join(key)
    is_compound = len(key) > 1
    yield Expectation(
        type="expect_compound_columns_to_be_unique" if is_compound else "expect_column_values_to_be_unique",
        kwargs={"column_list": list(key)} if is_compound else {"column": key[0]},
        severity=Severity.CRITICAL,
        description=f"No two rows have the same {names}.",
        meta=ExpectationMeta(check="key_is_unique", level="table"),
    )
    missing = " or ".join(f"{quoted(column)} is null" for column in key)
    yield _query("required_values_are_present", "row", f"No value is missing in {names}.", f"{_rows(key)} where {missing}")


def _parent(draft: Draft, table: BoundTable, reference: ForeignKey) -> Expectation:
    """A row with a null in any of the columns refers to nothing, as in SQL."""
    is_whole = " and ".join(f"{quoted(column)} is not null" for column in reference.columns)
    pairs = zip(reference.parent_columns, reference.columns, strict=True)
    same = " and ".join(f"parent.{quoted(referred)} = this.{quoted(column)}" for referred, column in pairs)
    is_unproven = (table.name, reference.columns) in draft.unproven
    return _query(
        parent_check(reference.columns),
        "row",
        f"Every {_together(reference.columns)} is a live {_together(reference.parent_columns)} of {reference.parent}.",
        f"{_rows((*table.key, *reference.columns))} where {is_whole} and not exists (select 1 from "
        f"{table.raw_schema}.{reference.parent} as parent where {same} and parent.{raw_columns.IS_LIVE})",
        Severity.WARNING if is_unproven else Severity.CRITICAL,
    )


def _together(columns: Sequence[str]) -> str:
    return columns[0] if len(columns) == 1 else f"({', '.join(columns)})"


def _readable(table: BoundTable, column: str) -> Expectation:
    return _query(
        f"{snake_case(column)}_can_be_read",
        "row",
        f"Every {column} can be read as JSON; staging has null for one that cannot, such as a text with a NUL in it.",
        f"{_rows((*table.key, column))} where {quoted(column)} is not null and ops.json_or_null({quoted(column)}) is null",
        Severity.WARNING,
    )


def _row_count(table: BoundTable) -> Expectation:
    return _query(
        "row_count_equals_source",
        "table",
        "Raw has as many live rows as the source had at the snapshot of the last sync.",
        "with this as (select * from {batch}) select source_rows, live_rows from (select source_rows from "
        f"{_syncs(table)} order by batch_id desc limit 1) as newest, (select count(*) as live_rows from this) as live "
        "where source_rows <> live_rows",
    )


def _collapse(table: BoundTable) -> Expectation:
    return _query(
        "row_count_did_not_collapse",
        "table",
        "The table did not lose more than half of its rows since the previous sync, or within a day before the last.",
        "with this as (select * from {batch}) select batch_id, source_rows, previous_rows, most_rows from (select batch_id, source_rows, "
        "lag(source_rows) over (order by batch_id) as previous_rows, max(source_rows) over (order by synced_at range between "
        "interval '1 day' preceding and current row) as most_rows, row_number() over (order by batch_id desc) as age from "
        f"{_syncs(table)}) as syncs where age = 1 and source_rows * 2 < greatest(previous_rows, most_rows)",
    )


def _synced(table: BoundTable, hours: float, severity: Severity) -> Expectation:
    return _query(
        f"synced_within_{hours:g}_hours",
        "table",
        f"The last sync of the table is at most {hours:g} hours old.",
        f"with this as (select * from {{batch}}) select max(synced_at) as last_synced_at from {_syncs(table)} "
        f"having max(synced_at) is null or max(synced_at) < now() - interval '{hours:g} hours'",
        severity,
    )


def _rows(columns: Iterable[str]) -> str:
    return f"with this as (select * from {{batch}}) select {', '.join(map(quoted, dict.fromkeys(columns)))} from this"


def _syncs(table: BoundTable) -> str:
    return f"ops.table_syncs where system = '{table.system}' and table_name = '{table.name}'"


def _query(
    check: str,
    level: Literal["row", "table"],
    description: str,
    query: str,
    severity: Severity = Severity.CRITICAL,
    *,
    key: tuple[str, ...] = (),
) -> Expectation:
    return Expectation(
        type="unexpected_rows_expectation",
        kwargs={"unexpected_rows_query": query},
        severity=severity,
        description=description,
        meta=ExpectationMeta(check=check, level=level, key=key),
    )
