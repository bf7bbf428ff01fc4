"""Raw tables that nobody has synced: batches are written into them as a sync writes them.

Belongs here: a contract, its raw tables, and changes of them. Does not belong here: what is asked of the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts import raw_columns
from dagster_project.contracts.contract import SystemContract


def shop(tables: Mapping[str, object]) -> SystemContract:
    """The contract of a shop with these tables."""
    freshness = {"warn_after_hours": 2, "error_after_hours": 24}
    return SystemContract.model_validate({"system": "shop", "description": "A shop.", "freshness": freshness, "tables": tables})


@dataclass(frozen=True)
class Change:
    """A row of a table that comes, changes or goes."""

    table: str
    row: Mapping[str, object]
    is_gone: bool = False


@dataclass(frozen=True)
class RawHistory:
    """The raw tables of a contract, each with the SQL of its declared columns."""

    contract: SystemContract
    columns: Mapping[str, str]

    def create(self, cursor: Cursor) -> None:
        """Make the tables, empty, as a sync would."""
        schema = self.contract.raw_schema
        cursor.execute(f"create schema {schema} authorization runmart_ingest; grant usage on schema {schema} to runmart_transform")
        own = ", ".join(f"{name} {kind}{' not null' * (name in raw_columns.REQUIRED)}" for name, kind in raw_columns.TYPES.items())
        for table, columns in self.columns.items():
            key = ", ".join(self.contract.tables[table].key)
            cursor.execute(f"create table {schema}.{table} ({columns}, {own}, primary key ({key}))")
            cursor.execute(f"alter table {schema}.{table} owner to runmart_ingest; grant select on {schema}.{table} to runmart_transform")

    def apply(self, cursor: Cursor, changes: Sequence[Change]) -> int:
        """Write a batch: rows that go are marked, those that move say what they have left; gives its number."""
        system = self.contract.system
        cursor.execute(
            "insert into ops.batches (system, capture, snapshot, started_at, committed_at) "
            f"values ('{system}', 'horizon', '', now(), now()) returning batch_id"
        )
        ((batch_id,),) = cursor.fetchall()
        before = self.live(cursor)
        for change in changes:
            self._write(cursor, change, batch_id)
        after = self.live(cursor)
        touched = {change.table for change in changes}
        for table in self.contract.tables:
            gained = after[table] - before[table]
            cursor.execute(
                "insert into ops.table_syncs (batch_id, system, table_name, synced_at, source_rows, rows_read, rows_inserted, "
                "rows_updated, rows_deleted, seconds, found_by) values (%s, %s, %s, now(), %s, 0, %s, %s, %s, 0, 'horizon')",
                (batch_id, system, table, after[table], max(gained, 0), int(table in touched), max(-gained, 0)),
            )
        cursor.execute(
            "insert into ops.sync_state (system, batch_id) values (%s, %s) on conflict (system) do update set batch_id = excluded.batch_id",
            (system, batch_id),
        )
        return int(batch_id)

    def live(self, cursor: Cursor) -> dict[str, int]:
        """How many live rows each table has."""
        counts = {}
        for table in self.contract.tables:
            cursor.execute(f"select count(*) from {self.contract.raw_schema}.{table} where {raw_columns.IS_LIVE}")
            ((counts[table],),) = cursor.fetchall()
        return counts

    def _write(self, cursor: Cursor, change: Change, batch_id: int) -> None:
        declared, raw = self.contract.tables[change.table], f"{self.contract.raw_schema}.{change.table}"
        if change.is_gone:
            where = " and ".join(f'raw."{column}" = %({column})s' for column in declared.key)
            cursor.execute(
                f"update {raw} as raw set _deleted_at = now(), _synced_at = now(), _batch_id = {batch_id} "
                f"where _deleted_at is null and {where}",
                change.row,
            )
            return
        names, values = ", ".join(f'"{column}"' for column in change.row), ", ".join(f"%({column})s" for column in change.row)
        referring = declared.referring_columns
        entry = f"jsonb_build_object({', '.join(f'{column!r}, raw.{column}' for column in referring)})" if referring else "null"
        moved = f"coalesce(raw._moved_from, '[]') || {entry}" if referring else "null"
        cursor.execute(
            f"insert into {raw} as raw ({names}, _batch_id, _synced_at) values ({values}, {batch_id}, now()) "
            f"on conflict ({', '.join(declared.key)}) do update set ({names}) = row({values}), _batch_id = {batch_id}, _deleted_at = null, "
            f"_moved_from = {moved}",
            change.row,
        )
