"""Applying candidate rows to a raw table.

Belongs here: the set-based statements that make raw equal the source for the rows at hand. Does not belong here: transactions; the sync
commits once for all tables. Values are compared as stored (`*<>`), so 0.0 and -0.0, or 1.0 and 1.00, count as different.
"""

import csv
import io
from collections.abc import Collection
from dataclasses import dataclass

from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.raw_columns import BATCH_ID, DELETED_AT, IS_LIVE, MOVED_FROM, SYNCED_AT
from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion.errors import SchemaDrift
from dagster_project.ingestion.watermark import Batch
from dagster_project.postgres.cursors import one_row

INCOMING = sql.Identifier("pg_temp", "incoming")
GONE = sql.Identifier("pg_temp", "gone")


# As many changed rows as autovacuum would wait for before it counts again.
_ANALYZE_SHARE = 0.1


@dataclass(frozen=True)
class Applied:
    """Rows that changed in raw."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def __add__(self, other: "Applied") -> "Applied":
        return Applied(self.inserted + other.inserted, self.updated + other.updated, self.deleted + other.deleted)

    @property
    def total(self) -> int:
        """All of them."""
        return self.inserted + self.updated + self.deleted


def create_incoming(cursor: Cursor, table: BoundTable) -> None:
    """An empty temporary table shaped like the declared columns of a raw table; gone at commit."""
    cursor.execute("drop table if exists pg_temp.incoming")
    cursor.execute(
        sql.SQL("create temporary table incoming on commit drop as select {} from {} with no data").format(_names(table.columns), table.raw)
    )


def create_gone(cursor: Cursor, table: BoundTable) -> None:
    """An empty temporary table of keys; gone itself at commit."""
    cursor.execute("drop table if exists pg_temp.gone")
    names = _names(table.key)
    cursor.execute(sql.SQL("create temporary table gone on commit drop as select {} from {} with no data").format(names, table.raw))


def find_gone(cursor: Cursor, table: BoundTable, keys: Collection[tuple[str, ...]]) -> None:
    """Of the given keys, each as the texts of its columns, put those that did not come in into the table of gone keys."""
    create_gone(cursor, table)
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(keys)
    lines.seek(0)
    key = table.key
    cursor.copy_expert(sql.SQL("copy {} ({}) from stdin (format csv)").format(GONE, _names(key)), lines)
    same_key = sql.SQL(" and ").join(sql.SQL("incoming.{0} = gone.{0}").format(sql.Identifier(column)) for column in key)
    cursor.execute(sql.SQL("delete from {} as gone using {} as incoming where {}").format(GONE, INCOMING, same_key))


def upsert(cursor: Cursor, table: BoundTable, batch: Batch) -> Applied:
    """Insert and update what came in; a deleted row that is back counts as inserted."""
    columns, key = table.columns, table.key
    # Of the key only: what the values look like helps no plan, and looking at documents costs more than writing them.
    cursor.execute(sql.SQL("analyze {} ({})").format(INCOMING, _names(key)))
    revived = _count_revived(cursor, table)
    written = (*columns, BATCH_ID, SYNCED_AT)
    # The key's columns too: 1.0 and 1.00 are the same key, stored differently.
    assignments = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in written]
    # In the order of the key, so that neighbours in the index are met one after the other.
    statement = sql.SQL(
        """
        with written as (
            insert into {raw} as raw ({written})
            select {columns}, {batch_id}, {synced_at} from {incoming} order by {key}
            on conflict ({key}) do update
            set {assignments}, {deleted_at} = null, {moved_from} = {moved}
            where raw.{deleted_at} is not null or row({raw_columns})::record *<> row({excluded_columns})::record
            returning raw.xmax = 0 as is_new
        )

        select count(*) filter (where is_new), count(*) filter (where not is_new) from written
        """
    ).format(
        raw=table.raw,
        incoming=INCOMING,
        written=_names(written),
        columns=_names(columns),
        key=_names(key),
        raw_columns=_names(columns, "raw"),
        excluded_columns=_names(columns, "excluded"),
        assignments=sql.SQL(", ").join(assignments),
        deleted_at=sql.Identifier(DELETED_AT),
        moved_from=sql.Identifier(MOVED_FROM),
        moved=_moved_from(table.declared.referring_columns),
        **_stamps(batch),
    )
    try:
        cursor.execute(statement)
    except (errors.CardinalityViolation, errors.NotNullViolation) as error:
        raise SchemaDrift(
            f"the source {table.system}: the key of {table.name} ({', '.join(key)}) does not identify its rows: "
            f"{error.diag.message_primary}; declare one that does"
        ) from error
    inserted, updated = one_row(cursor)
    return Applied(inserted + revived, updated - revived)


def _count_revived(cursor: Cursor, table: BoundTable) -> int:
    """How many deleted rows are back."""
    cursor.execute(
        sql.SQL(
            "select count(*) from {raw} as raw inner join {incoming} as incoming on {same_key} where raw.{deleted_at} is not null"
        ).format(raw=table.raw, incoming=INCOMING, same_key=_same_key(table.key), deleted_at=sql.Identifier(DELETED_AT))
    )
    return int(one_row(cursor)[0])


def _moved_from(columns: tuple[str, ...]) -> sql.Composable:
    """The parents that a row leaves, added to those that it left before: what was counted under them must be counted again."""
    if not columns:
        return sql.SQL("null")
    entry = sql.SQL("jsonb_build_object({})").format(
        sql.SQL(", ").join(sql.SQL("{}, raw.{}").format(sql.Literal(column), sql.Identifier(column)) for column in columns)
    )
    return sql.SQL(
        """
        case
            when row({left})::record *<> row({entered})::record and not coalesce({moved_from}, '[]') @> jsonb_build_array({entry})
                then coalesce({moved_from}, '[]') || {entry}
            else {moved_from}
        end
        """
    ).format(left=_names(columns, "raw"), entered=_names(columns, "excluded"), entry=entry, moved_from=sql.Identifier("raw", MOVED_FROM))


def delete_gone(cursor: Cursor, table: BoundTable, batch: Batch) -> Applied:
    """Mark the live rows with the gone keys as deleted."""
    cursor.execute(sql.SQL("analyze {}").format(GONE))
    same_key = sql.SQL(" and ").join(sql.SQL("gone.{0} = raw.{0}").format(sql.Identifier(c)) for c in table.key)
    cursor.execute(
        sql.SQL("update {raw} as raw set {deleted} from {gone} as gone where raw.{is_live} and {same_key}").format(
            raw=table.raw, deleted=_deleted(batch), gone=GONE, is_live=sql.SQL(IS_LIVE), same_key=same_key
        )
    )
    return Applied(deleted=cursor.rowcount)


def delete_missing(cursor: Cursor, table: BoundTable, batch: Batch, scope: sql.Composable) -> Applied:
    """Mark the live rows under the scope (a condition on `raw`) that did not come in as deleted."""
    cursor.execute(
        sql.SQL(
            """
            update {raw} as raw set {deleted}
            where raw.{is_live} and {scope} and not exists (select from {incoming} as incoming where {same_key})
            """
        ).format(
            raw=table.raw,
            deleted=_deleted(batch),
            is_live=sql.SQL(IS_LIVE),
            scope=scope,
            incoming=INCOMING,
            same_key=_same_key(table.key),
        )
    )
    return Applied(deleted=cursor.rowcount)


def analyze_if_worth_it(cursor: Cursor, table: BoundTable, applied: Applied, live_rows: int) -> None:
    """Count a table again that changed much: what reads it next must not plan with old statistics, and autovacuum comes too late."""
    if applied.total > _ANALYZE_SHARE * live_rows:
        cursor.execute(sql.SQL("analyze {}").format(table.raw))


def replace(cursor: Cursor, table: BoundTable, batch: Batch, scope: sql.Composable) -> Applied:
    """Make the live rows under the scope those that came in, without a key: of five equal ones that are three now, two go."""
    raw, columns = table.raw, table.columns
    cursor.execute("drop table if exists pg_temp.numbered")
    cursor.execute(
        sql.SQL(
            """
            create temporary table numbered on commit drop as
            select *, row({columns})::text as _row, row_number() over (partition by row({columns})::text) as _copy from {incoming}
            """
        ).format(columns=_names(columns), incoming=INCOMING)
    )
    live = sql.SQL(
        "select ctid, row({columns})::text as _row, row_number() over (partition by row({columns})::text) as _copy "
        "from {raw} as raw where {is_live} and {scope}"
    ).format(columns=_names(columns), raw=raw, is_live=sql.SQL(IS_LIVE), scope=scope)
    cursor.execute(
        sql.SQL(
            """
            with live as ({live})

            update {raw} as raw set {deleted}
            from live
            where raw.ctid = live.ctid
                and not exists (select from pg_temp.numbered as n where n._row = live._row and n._copy = live._copy)
            """
        ).format(live=live, raw=raw, deleted=_deleted(batch))
    )
    deleted = cursor.rowcount
    cursor.execute(
        sql.SQL(
            """
            with live as ({live})

            insert into {raw} ({written})
            select {columns}, {batch_id}, {synced_at}
            from pg_temp.numbered as n
            where not exists (select from live where n._row = live._row and n._copy = live._copy)
            """
        ).format(live=live, raw=raw, written=_names((*columns, BATCH_ID, SYNCED_AT)), columns=_names(columns), **_stamps(batch))
    )
    return Applied(cursor.rowcount, 0, deleted)


def _deleted(batch: Batch) -> sql.Composable:
    return sql.SQL("{} = {synced_at}, {} = {synced_at}, {} = {batch_id}").format(
        *map(sql.Identifier, (DELETED_AT, SYNCED_AT, BATCH_ID)), **_stamps(batch)
    )


def _stamps(batch: Batch) -> dict[str, sql.Composable]:
    """Never as parameters: the driver would take a percent sign in the name of a column for the place of one."""
    return {"batch_id": sql.Literal(batch.batch_id), "synced_at": sql.Literal(batch.synced_at)}


def _same_key(key: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(" and ").join(sql.SQL("incoming.{0} = raw.{0}").format(sql.Identifier(column)) for column in key)


def _names(columns: tuple[str, ...], table: str | None = None) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(table, column) if table else sql.Identifier(column) for column in columns)
