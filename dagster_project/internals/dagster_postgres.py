"""The private parts of dagster-postgres that Runmart uses.

Belongs here: what is overridden of its storage of events. Does not belong here: where the instance's database is (`resources.storage`).
"""

from collections.abc import Sequence
from functools import cached_property

import dagster as dg
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from sqlalchemy import Connection, text

from dagster_project.internals.dagster import ConfiguredClass, KnownAsset

_PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED

# What a step tells of each asset and each check, and nobody reads before it has ended.
_HELD = {dg.DagsterEventType.STEP_OUTPUT, dg.DagsterEventType.ASSET_CHECK_EVALUATION}

# What else it tells while it goes on. A line that it logs has no type.
_WITHIN_STEPS = {dg.DagsterEventType.ASSET_MATERIALIZATION, None}

# As the parent stores them one by one. A step that is tried again in its run gives a check a new verdict.
_STORE_VERDICTS = """
with verdict as (
    select event_logs.*, told.asset, told.check_name, told.of_partition, told.is_success, told.target
    from unnest(
        cast(:numbers as bigint[]), cast(:assets as text[]), cast(:names as text[]), cast(:partitions as text[]),
        cast(:passed as boolean[]), cast(:targets as bigint[])
    ) as told (number, asset, check_name, of_partition, is_success, target)
    inner join event_logs on event_logs.id = told.number
),

earlier as (
    delete from asset_check_executions as execution using verdict
    where
        (execution.run_id, execution.asset_key, execution.check_name) = (verdict.run_id, verdict.asset, verdict.check_name)
        and execution.partition is not distinct from verdict.of_partition
)

insert into asset_check_executions (
    asset_key, check_name, run_id, partition, execution_status, evaluation_event, evaluation_event_timestamp,
    evaluation_event_storage_id, materialization_event_storage_id
)
select
    asset, check_name, run_id, of_partition, case when is_success then 'SUCCEEDED' else 'FAILED' end, event, timestamp, id, target
from verdict
order by id
"""


class EventLog(PostgresEventLogStorage):
    """Events in PostgreSQL, without the plans of checks. The plans of a run's assets are stored in one go, and so is what a step tells.

    Steps here have an output for each asset and each check, and a verdict on each check. They are stored when the step has ended.

    A check that is planned is shown without a verdict until it has one. A run that ends before its checks were asked would leave them so,
    although no data has failed them. What is not planned keeps its last verdict until it has another.
    """

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store one event, and what was held before it."""
        if event.dagster_event_type in _HELD and event.run_id and event.step_key:
            self._held.append(event)
        elif not _plans_check(event):
            if event.dagster_event_type not in _WITHIN_STEPS:
                self._store_held()
            super().store_event(event)
            if materialized := event.dagster_event and event.dagster_event.asset_key:
                self._known_assets.pop(materialized, None)

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store the events that a run begins with: what it plans."""
        planned = [event for event in events if not _plans_check(event)]
        if any(event.dagster_event_type is not _PLANNED for event in planned):
            super().store_event_batch(planned)
        elif planned:
            with self.index_transaction() as connection:
                for event, number in self._stored(connection, planned):
                    self._store_asset_event(connection, event, number)

    def get_asset_records(self, asset_keys: Sequence[dg.AssetKey] | None = None) -> Sequence[KnownAsset]:
        """What is known of assets; Dagster asks it for each check on one, and it stays the same until the step materializes the asset."""
        if not self._held or asset_keys is None or len(asset_keys) != 1:
            return super().get_asset_records(asset_keys)
        (key,) = asset_keys
        if key not in self._known_assets:
            self._known_assets[key] = super().get_asset_records(asset_keys)
        return self._known_assets[key]

    def has_table(self, table_name: str) -> bool:
        """Whether the database has a table; the parent asks the catalogs each time, twice for each event of an asset."""
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    def _store_held(self) -> None:
        held, self._held = self._held, []
        self._known_assets.clear()
        if held:
            with self.index_transaction() as connection:
                found = [(_verdict(event), number) for event, number in self._stored(connection, held)]
                if verdicts := [(verdict, number) for verdict, number in found if verdict]:
                    connection.execute(text(_STORE_VERDICTS), _columns(verdicts))

    def _stored(self, connection: Connection, events: Sequence[dg.EventLogEntry]) -> list[tuple[dg.EventLogEntry, int]]:
        """Events that have been stored, each with its number."""
        statement = self.prepare_insert_event_batch(events)
        numbers: Sequence[int] = connection.execute(statement.returning(statement.table.c.id)).scalars().all()
        return list(zip(events, numbers, strict=True))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        """Whether the table of assets has a column; the parent asks the catalogs each time, twice for each event of an asset."""
        if column_name not in self._known_columns:
            self._known_columns[column_name] = super()._has_asset_key_col_on_connection(conn, column_name)
        return self._known_columns[column_name]

    @cached_property
    def _held(self) -> list[dg.EventLogEntry]:
        return []

    @cached_property
    def _known_assets(self) -> dict[dg.AssetKey, Sequence[KnownAsset]]:
        return {}

    @cached_property
    def _known_tables(self) -> set[str]:
        return set()

    @cached_property
    def _known_columns(self) -> dict[str, bool]:
        return {}


class Storage(DagsterPostgresStorage):
    """dagster-postgres' storage with that log of events."""

    def __init__(self, postgres_url: str, inst_data: ConfiguredClass | None = None) -> None:
        super().__init__(postgres_url=postgres_url, inst_data=inst_data)
        # The parent has made its tables.
        self._event_log_storage = EventLog(postgres_url, should_autocreate_tables=False)


def _verdict(event: dg.EventLogEntry) -> dg.AssetCheckEvaluation | None:
    is_verdict = event.dagster_event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    return event.dagster_event.asset_check_evaluation_data if is_verdict and event.dagster_event else None


def _columns(verdicts: Sequence[tuple[dg.AssetCheckEvaluation, int]]) -> dict[str, list[object]]:
    targets = (verdict.target_materialization_data for verdict, _ in verdicts)
    return {
        "numbers": [number for _, number in verdicts],
        "assets": [verdict.asset_key.to_string() for verdict, _ in verdicts],
        "names": [verdict.check_name for verdict, _ in verdicts],
        "partitions": [verdict.partition for verdict, _ in verdicts],
        "passed": [verdict.passed for verdict, _ in verdicts],
        "targets": [target.storage_id if target else None for target in targets],
    }


def _plans_check(event: dg.EventLogEntry) -> bool:
    return event.dagster_event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
