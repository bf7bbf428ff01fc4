"""Where a row of a mart comes from: the rows of raw tables behind it, and proof that they make what it shows.

Belongs here: finding the row, copying the rows behind it, and holding it against what these make. Does not belong here: how rows lead to a
row of a mart (`postgres.rows_behind`), what they make (`recomputation`), connecting (`commands.explaining`), how it is shown (`results`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.raw_columns import BATCH_ID, IS_LIVE, IS_OUT_OF_QUARANTINE, SYNCED_AT
from dagster_project.contracts.table import BoundTable
from dagster_project.marts.bearing import bearings_of, condition
from dagster_project.marts.definition import definition
from dagster_project.marts.lineage import MART, Model, Table
from dagster_project.marts.plan import HISTORY, VIEW, Family, Plan, make_plan
from dagster_project.marts.postgres.candidates import OF_THE_REFRESH
from dagster_project.marts.postgres.names import relation, stand_in
from dagster_project.marts.postgres.rows_behind import RowsBehind
from dagster_project.marts.postgres.state import kept, reads_of
from dagster_project.marts.recomputation import ExplanationError, Recomputation, as_text, columns_of, copy_shape, stand_in_of
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.driver_errors import first_line
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.settings import DBT_PROJECT
from dagster_project.suggestions import way_out

_STAMPS = {"batch_id": sql.Identifier(BATCH_ID), "synced_at": sql.Identifier(SYNCED_AT)}

_SUMMARY = """
select
    count(*), count(*) filter (where {batch_id} > {last_seen}),
    min({batch_id}), max({batch_id}), min({synced_at}), max({synced_at})
from {rows}
"""

_COPY = """
insert into {copies}
select raw.*
from {raw} as raw
cross join {mart} as mart
where
    raw.{is_live}
    and raw.{is_out_of_quarantine}
    and {is_behind}
    and ({bears})
    and not exists (select from {copies} as found where {is_same})
"""


@dataclass(frozen=True)
class SourceRow:
    """One row behind.

    Attributes:
        key: Values of its primary key in the source.
        batch_id: The batch that last wrote it.
        synced_at: When that was.
    """

    key: tuple[str, ...]
    batch_id: int
    synced_at: datetime


@dataclass(frozen=True)
class SourceRows:
    """The rows of one table behind a row of a mart.

    Attributes:
        table: The table, `<system>.<table>`.
        key: Columns of its primary key in the source.
        count: Number of rows.
        later: How many of them were written after the mart was published.
        batch_ids: The first and the last batch that wrote them; None if there are no rows.
        synced_at: When these were; None if there are no rows.
        rows: The first rows by key.
    """

    table: str
    key: tuple[str, ...]
    count: int
    later: int
    batch_ids: tuple[int, int] | None
    synced_at: tuple[datetime, datetime] | None
    rows: tuple[SourceRow, ...]


@dataclass(frozen=True)
class Explanation:
    """Where a row of a mart comes from.

    Attributes:
        mart: The mart.
        grain: Columns that identify the row.
        column: The column that is explained; None for all.
        row: The published row: values as PostgreSQL prints them, by column.
        recomputed: The explained columns as the rows behind make them; None if these make no such row.
        sources: The rows behind, by table.
        model: File of the model.
        sql: The SQL of the model, which makes the mart from everything.
        models_read: Files of the models that it reads, in the order in which rows go through them.
        refresh_id: The refresh that published the mart last.
        has_moved_on: Whether raw has changed since: in the rows behind, or elsewhere in their tables if the values differ, because a row
            that has gone is no longer behind anything.
    """

    mart: str
    grain: tuple[str, ...]
    column: str | None
    row: Mapping[str, str | None]
    recomputed: Mapping[str, str | None] | None
    sources: tuple[SourceRows, ...]
    model: str
    sql: str
    models_read: tuple[str, ...]
    refresh_id: int
    has_moved_on: bool

    @property
    def differing(self) -> tuple[str, ...]:
        """Columns whose recomputed value is another one than the shown; all that identify the row if there is no such row."""
        return _differing(self.row, self.recomputed, self.grain)

    @property
    def is_wrong(self) -> bool:
        """Whether the rows behind make something else than is shown, although raw has not changed since."""
        return bool(self.differing) and not self.has_moved_on

    @property
    def rows_behind(self) -> int:
        """Number of all rows behind."""
        return sum(source.count for source in self.sources)


def explain(
    cursor: Cursor, plan: Plan, mart: str, key: Sequence[tuple[str, str]], *, column: str | None = None, rows: int = 10
) -> Explanation:
    """Find the rows behind one row of a mart, and compute it again from them.

    Everything is of one snapshot if the transaction is repeatable read; it holds temporary tables until it ends.

    Args:
        cursor: Of a role that reads raw, candidates and marts.
        plan: Of all marts.
        mart: Name of the mart.
        key: Columns of the mart and their values as text, which identify the row; an empty value is null too.
        column: The column to explain; all if None.
        rows: How many rows to name of each table behind.

    Raises:
        ExplanationError: There is no such mart or column, not exactly one such row, or no SQL is kept of what is published.
    """
    model = _explainable(plan, mart)
    _check_columns(model, [name for name, _ in key], column)
    cursor.execute("set local timezone = 'UTC'")
    row = _take_row(cursor, model, key)
    recomputation = Recomputation(cursor, mart, plan.published)
    explained = [column] if column else [name for name in row if name not in OF_THE_REFRESH]
    # A foreign key of which no SQL makes use leads to no rows; what SQL makes use of is known of what is published.
    known = make_plan(plan.project, plan.contracts, reads_of(kept(cursor, definition())))
    behind = _Copies(cursor, known, mart, explained, recomputation.publication.batches)
    behind.copy()
    sources = behind.describe(rows)
    recomputed = recomputation.row(explained, model.grain, _shown(mart))
    differs = bool(_differing(row, recomputed, model.grain))
    files = {path.stem: path.relative_to(DBT_PROJECT.parent).as_posix() for path in (DBT_PROJECT / "models").rglob("*.sql")}
    return Explanation(
        mart=mart,
        grain=model.grain,
        column=column,
        row=row,
        recomputed=recomputed,
        sources=sources,
        model=files[mart],
        sql=_tidy(recomputation.sql_of(recomputation.target)),
        models_read=tuple(files[name] for name in recomputation.models_read),
        refresh_id=recomputation.publication.refresh_id,
        has_moved_on=any(source.later for source in sources) or (differs and behind.has_moved_on()),
    )


def _differing(row: Mapping[str, str | None], recomputed: Mapping[str, str | None] | None, grain: tuple[str, ...]) -> tuple[str, ...]:
    if recomputed is None:
        return grain
    return tuple(name for name, value in recomputed.items() if value != row[name])


def _explainable(plan: Plan, mart: str) -> Model:
    published = {model.name: model for model in plan.project.of_kind(MART, VIEW, HISTORY) if model.schema == PUBLISHED}
    known = f"marts whose rows can be explained: {', '.join(explainable_marts(plan))}"
    if mart not in published:
        raise ExplanationError(f"there is no mart {mart!r}; {way_out(mart, published, known)}")
    original = published[mart].history_of
    if original:
        raise ExplanationError(f"analytics.{mart} keeps what analytics.{original} said; explain analytics.{original} instead")
    if not plan.families_behind(mart):
        raise ExplanationError(f"analytics.{mart} is not made of rows of a source; {known}")
    return published[mart]


def explainable_marts(plan: Plan) -> list[str]:
    """Marts, and views on them, of which single rows of sources make a row."""
    marts = (model.name for model in plan.project.of_kind(MART, VIEW) if model.schema == PUBLISHED)
    return [name for name in marts if plan.families_behind(name)]


def _check_columns(model: Model, key: Sequence[str], column: str | None) -> None:
    for name in (*key, *([column] if column else [])):
        if name not in model.columns:
            identified = f"a row is identified by: {', '.join(model.grain)}"
            raise ExplanationError(f"analytics.{model.name} has no column {name!r}; {way_out(name, model.columns, identified)}")
    if column in OF_THE_REFRESH:
        raise ExplanationError(f"{column} names the refresh that last changed the row and is not made of rows; explain another column")


def _take_row(cursor: Cursor, model: Model, key: Sequence[tuple[str, str]]) -> dict[str, str | None]:
    """Keep the published row in a temporary table, and give its values as text."""
    relation = PUBLISHED, model.name
    columns = columns_of(cursor, relation)
    if not columns:
        raise ExplanationError(f"analytics.{model.name} has not been published; run `runmart refresh`")
    is_asked = sql.SQL(" and ").join(
        sql.SQL("{} = {}" if value else "coalesce(cast({} as text), '') = {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in key
    )
    query = sql.SQL("create temporary table {} on commit drop as select * from {} where {}")
    words = " and ".join(f"{name} = {value or 'null'}" for name, value in key)
    try:
        cursor.execute(query.format(_shown(model.name), sql.Identifier(*relation), is_asked))
    except psycopg2.DataError as error:
        raise ExplanationError(f"analytics.{model.name} can have no row with {words}: {first_line(error)}; correct --key") from error
    cursor.execute(sql.SQL("select count(*) from {}").format(_shown(model.name)))
    number = one_row(cursor)[0]
    if number != 1:
        raise ExplanationError(
            f"analytics.{model.name} has {f'{number:,}' if number else 'no'} rows with {words}; name one by its key: "
            + " ".join(f"--key {name}=…" for name in model.grain)
        )
    cursor.execute(sql.SQL("analyze {}").format(_shown(model.name)))
    cursor.execute(sql.SQL("select {} from {} as shown").format(as_text(columns, "shown"), _shown(model.name)))
    return dict(zip(columns, one_row(cursor), strict=True))


def _shown(mart: str) -> sql.Identifier:
    """The temporary table with the published row."""
    return stand_in_of((PUBLISHED, mart))


@dataclass(frozen=True)
class _Copies:
    """Copies of the rows behind the row of a mart, one temporary table per raw table: what is given to the recomputation.

    Attributes:
        cursor: Of the transaction that holds them.
        plan: Of all marts.
        mart: Name of the mart.
        explained: The columns that are explained.
        batches: The last batch of each system that the published mart has seen.
    """

    cursor: Cursor
    plan: Plan
    mart: str
    explained: Sequence[str]
    batches: Mapping[str, int]
    _made: dict[Table, BoundTable] = field(default_factory=dict)

    def copy(self) -> None:
        """Copy the rows behind that bear on what is explained; of systems from which no key leads to groups, all that do."""
        families = self.plan.families_behind(self.mart)
        for family in families:
            self._copy(family)
        bearings = bearings_of(self.plan.project, self.mart)
        for system, name in sorted(self._behind):
            bears = condition(bearings.get((system, name)), self.explained)
            if bears and system in self.plan.contracts and system not in {family.group.system for family in families}:
                self._fill(self._bound(system, name), bears, ["true"])

    def describe(self, number: int) -> tuple[SourceRows, ...]:
        """Describe the rows of each table of which the mart is made, and name so many of them."""
        return tuple(self._describe(table, number) for name, table in self._made.items() if name in self._behind)

    def has_moved_on(self) -> bool:
        """Whether a raw table behind the mart has rows, deleted ones included, that were written after the mart was published."""
        contracts = self.plan.contracts
        return any(self._has_later_rows(contracts[system].table(name)) for system, name in self._behind if system in contracts)

    @property
    def _behind(self) -> frozenset[Table]:
        return self.plan.project.behind(self.mart)

    def _copy(self, family: Family) -> None:
        system = family.group.system
        bearings = bearings_of(self.plan.project, self.mart)
        rows = RowsBehind(self.plan, family, relation(*stand_in(PUBLISHED, self.mart)))
        copied: list[str] = []
        for name in rows.tables({table for of, table in self._behind if of == system}):
            bears = condition(bearings.get((system, name)), self.explained)
            conditions = rows.conditions(name, copied) if bears else []
            if bears and conditions:
                copied.append(name)
                self._fill(self._bound(system, name), bears, conditions)

    def _fill(self, table: BoundTable, bears: str, conditions: Sequence[str]) -> None:
        copies = stand_in_of((table.raw_schema, table.name))
        if (table.system, table.name) not in self._made:
            copy_shape(self.cursor, (table.raw_schema, table.name), copies)
            self._made[table.system, table.name] = table
        for is_behind in conditions:
            self.cursor.execute(
                sql.SQL(_COPY).format(
                    copies=copies,
                    raw=table.raw,
                    mart=_shown(self.mart),
                    is_live=sql.SQL(IS_LIVE),
                    is_out_of_quarantine=sql.SQL(IS_OUT_OF_QUARANTINE),
                    is_behind=sql.SQL(is_behind),
                    bears=sql.SQL(bears),
                    is_same=sql.SQL(" and ").join(sql.SQL("found.{0} = raw.{0}").format(sql.Identifier(column)) for column in table.key),
                )
            )
            self.cursor.execute(sql.SQL("analyze {}").format(copies))

    def _bound(self, system: str, name: str) -> BoundTable:
        """The raw table.

        Raises:
            ExplanationError: Its rows have no key.
        """
        table = self.plan.contracts[system].table(name)
        if not table.key:
            raise ExplanationError(f"analytics.{self.mart} is made of rows of {system}.{name}, which have no key that tells them apart")
        return table

    def _describe(self, table: BoundTable, number: int) -> SourceRows:
        rows = stand_in_of((table.raw_schema, table.name))
        self.cursor.execute(sql.SQL(_SUMMARY).format(last_seen=self._last_seen(table), rows=rows, **_STAMPS))
        count, later, first_batch, last_batch, first_synced, last_synced = one_row(self.cursor)
        self.cursor.execute(
            sql.SQL("select array[{}], {batch_id}, {synced_at} from {} as found order by {} limit {}").format(
                as_text(table.key, "found"), rows, sql.SQL(", ").join(map(sql.Identifier, table.key)), sql.Literal(number), **_STAMPS
            )
        )
        return SourceRows(
            table=f"{table.system}.{table.name}",
            key=table.key,
            count=count,
            later=later,
            batch_ids=(first_batch, last_batch) if count else None,
            synced_at=(first_synced, last_synced) if count else None,
            rows=tuple(SourceRow(tuple(values), batch_id, synced_at) for values, batch_id, synced_at in self.cursor.fetchall()),
        )

    def _has_later_rows(self, table: BoundTable) -> bool:
        is_later = sql.SQL("select exists (select from {} where {} > {})")
        self.cursor.execute(is_later.format(table.raw, sql.Identifier(BATCH_ID), self._last_seen(table)))
        return bool(one_row(self.cursor)[0])

    def _last_seen(self, table: BoundTable) -> sql.Composable:
        return sql.Literal(self.batches.get(table.system, 0))


def _tidy(text: str) -> str:
    """SQL without the empty lines that templates leave."""
    return re.sub(r"\n\s*\n", "\n\n", "\n".join(line.rstrip() for line in text.strip().splitlines()))
