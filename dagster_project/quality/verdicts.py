"""The last verdict of each check, quality.verdicts, and how far the rows have come since.

Belongs here: reading and writing verdicts, and which tables batches have changed. Does not belong here: what is asked (`validation`), and
every result of every run (`results`).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from dagster_project.contracts.table import raw_schema
from dagster_project.postgres.cursors import one_row
from dagster_project.quality.rules import Rule
from dagster_project.quality.suites import Severity, Suite

# A table that was loaded anew has rows of which nothing says that they have gone.
_CHANGES = """
select
    table_name,
    (
        select max(sync.batch_id) from ops.table_syncs as sync
        where
            sync.system = %(system)s
            and sync.table_name = wanted.table_name
            and sync.rows_inserted + sync.rows_updated + sync.rows_deleted > 0
    ),
    (
        select max(sync.batch_id) from ops.table_syncs as sync
        where sync.system = %(system)s and sync.table_name = wanted.table_name and sync.found_by like '%%first load%%'
    )
from unnest(%(tables)s) as wanted (table_name)
"""

_REFRESH = """
select
    candidate.started_at,
    candidate.is_full,
    %(mart)s = any(candidate.left_out),
    %(mart)s = any(candidate.untouched),
    (select max(value::bigint) from jsonb_each_text(candidate.batches)),
    (
        select refresh.started_at from ops.published_marts as published inner join ops.refreshes as refresh using (refresh_id)
        where published.mart = %(mart)s
    )
from ops.refresh_under_way as candidate
"""

_LAST = """
select check_name, definition, batch_id, refresh_started_at, is_success, failing_rows, error
from quality.verdicts
where asset_key = %s
"""

_KEEP = """
insert into quality.verdicts
(asset_key, check_name, definition, batch_id, refresh_started_at, is_success, failing_rows, error, validated_at)
values %s
on conflict (asset_key, check_name) do update set
    definition = excluded.definition, batch_id = excluded.batch_id, refresh_started_at = excluded.refresh_started_at,
    is_success = excluded.is_success, failing_rows = excluded.failing_rows, error = excluded.error, validated_at = excluded.validated_at
"""

_STAND = """
update quality.verdicts set refresh_started_at = %(started_at)s
where asset_key = %(asset)s and check_name = any(%(checks)s) and refresh_started_at < %(started_at)s
"""


@dataclass(frozen=True)
class Verdict:
    """What a check found when it was last asked; see the comments of quality.verdicts."""

    definition: str
    batch_id: int | None
    refresh_started_at: datetime | None
    is_success: bool
    failing_rows: int | None
    error: str | None

    @property
    def outcome(self) -> tuple[bool, int | None, str | None]:
        """What it says, whatever it is of."""
        return self.is_success, self.failing_rows, self.error


@dataclass(frozen=True)
class Standing:
    """How far the rows have come: raw tables of a system, or a mart.

    Attributes:
        batch_id: The last batch that they reflect; None before the first.
        changed: By raw table, the last batch that changed it, and that which loaded it anew, if one has.
        refresh_started_at: When the refresh started that is under way; None for raw tables.
        is_full: Whether it recomputes everything.
        is_left_out: Whether it leaves the mart as it is.
        is_untouched: Whether it has found that nothing leads to the mart.
        published_at: When the refresh started that published the mart last.
    """

    batch_id: int | None
    changed: Mapping[str, tuple[int, int | None]]
    refresh_started_at: datetime | None = None
    is_full: bool = False
    is_left_out: bool = False
    is_untouched: bool = False
    published_at: datetime | None = None

    def is_as_it_was(self, last: Verdict, table: str, rule: Rule) -> bool:
        """Whether nothing that a rule reads has changed since a verdict."""
        if self.refresh_started_at is not None:
            is_of_the_same = last.refresh_started_at == self.refresh_started_at or (self.is_untouched and self.is_narrow(last))
            return is_of_the_same and not rule.relations
        if last.batch_id is None or any(schema == "ops" for schema, _ in rule.relations):
            return False
        return all(self.changed[name][0] <= last.batch_id for name in self._read(table, rule))

    def seen(self, last: Verdict, table: str, rule: Rule) -> int | None:
        """The batch after which rows of a raw table have to be asked about; None if all have to be."""
        loads = [self.changed[name][1] for name in self._read(table, rule)]
        is_anew = last.batch_id is not None and any(load is not None and load > last.batch_id for load in loads)
        return None if is_anew else last.batch_id

    def is_narrow(self, last: Verdict) -> bool:
        """Whether a mart has to be asked about where groups were touched only: what is published was checked, or later rows were."""
        is_known = last.refresh_started_at is not None and self.published_at is not None and last.refresh_started_at >= self.published_at
        return is_known and not self.is_full

    def _read(self, table: str, rule: Rule) -> set[str]:
        """The raw tables that a rule reads and that a batch has changed."""
        parents = {name for schema, name in rule.relations if schema.startswith(raw_schema(""))}
        return {table, *parents} & self.changed.keys()


def standing_of_mart(cursor: Cursor, mart: str) -> Standing:
    """How far a mart has come with the refresh under way."""
    cursor.execute(_REFRESH, {"mart": mart})
    started_at, is_full, is_left_out, is_untouched, batch_id, published_at = cursor.fetchone() or (None, True, False, False, None, None)
    return Standing(batch_id, {}, started_at, is_full, is_left_out, is_untouched, published_at)


def standing_of_raw(cursor: Cursor, system: str, tables: Iterable[str]) -> Standing:
    """How far the rows of a system have come, of which these are the raw tables."""
    cursor.execute("select max(batch_id) from ops.sync_state where system = %s", (system,))
    (batch_id,) = one_row(cursor)
    cursor.execute(_CHANGES, {"system": system, "tables": list(tables)})
    return Standing(batch_id, {table: (last, loaded) for table, last, loaded in cursor.fetchall() if last is not None})


def last(cursor: Cursor, asset: str) -> dict[str, Verdict]:
    """By check, what it found when it was last asked."""
    cursor.execute(_LAST, (asset,))
    return {check: Verdict(*found) for check, *found in cursor.fetchall()}


def failing(cursor: Cursor, suite: Suite) -> dict[str, Verdict]:
    """By critical check of a suite that fails, or could not be asked, what it found when it was last asked."""
    found = last(cursor, "/".join(suite.asset_key))
    critical = (expectation.meta.check for expectation in suite.expectations if expectation.severity is Severity.CRITICAL)
    return {check: found[check] for check in critical if check in found and not found[check].is_success}


def stand(cursor: Cursor, asset: str, checks: Collection[str], refresh_started_at: datetime | None) -> None:
    """Note that verdicts on a mart hold for a refresh that leaves it as it is."""
    cursor.execute(_STAND, {"asset": asset, "checks": list(checks), "started_at": refresh_started_at})


def keep(cursor: Cursor, asset: str, found: Mapping[str, Verdict]) -> None:
    """Write what checks have found now."""
    cursor.execute("select transaction_timestamp()")
    (now,) = one_row(cursor)
    rows = [
        (asset, check, each.definition, each.batch_id, each.refresh_started_at, each.is_success, each.failing_rows, each.error, now)
        for check, each in found.items()
    ]
    if rows:
        execute_values(cursor, _KEEP, rows, page_size=len(rows))
