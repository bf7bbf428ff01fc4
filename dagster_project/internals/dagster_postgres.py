"""The private parts of dagster-postgres that Runmart uses.

Belongs here: what is overridden of its storage of events. Does not belong here: where the instance's database is (`resources.storage`).
"""

from collections.abc import Sequence
from functools import cached_property

import dagster as dg
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from sqlalchemy import Connection

from dagster_project.internals.dagster import ConfiguredClass

_PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
_OUTPUT = dg.DagsterEventType.STEP_OUTPUT

# What a step tells while it goes on. A line that it logs has no type.
_WITHIN_STEPS = {dg.DagsterEventType.ASSET_CHECK_EVALUATION, dg.DagsterEventType.ASSET_MATERIALIZATION, None}


class EventLog(PostgresEventLogStorage):
    """Events in PostgreSQL, without the plans of checks, and with the plans of a run's assets, and the outputs of a step, in one statement.

    Steps here have an output for each asset and each check, which nobody reads before the step has ended; that is when they are stored.

    A check that is planned is shown without a verdict until it has one. A run that ends before its checks were asked would leave them so,
    although no data has failed them. What is not planned keeps its last verdict until it has another.
    """

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store one event, and the outputs that were before it."""
        if event.dagster_event_type is _OUTPUT:
            self._outputs.append(event)
        elif not _plans_check(event):
            if event.dagster_event_type not in _WITHIN_STEPS:
                self._store_outputs()
            super().store_event(event)

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store the events that a run begins with: what it plans."""
        planned = [event for event in events if not _plans_check(event)]
        if any(event.dagster_event_type is not _PLANNED for event in planned):
            super().store_event_batch(planned)
        elif planned:
            statement = self.prepare_insert_event_batch(planned)
            with self.index_transaction() as connection:
                numbers: Sequence[int] = connection.execute(statement.returning(statement.table.c.id)).scalars().all()
                for event, number in zip(planned, numbers, strict=True):
                    self._store_asset_event(connection, event, number)

    def has_table(self, table_name: str) -> bool:
        """Whether the database has a table; the parent asks the catalogs each time, twice for each event of an asset."""
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    def _store_outputs(self) -> None:
        outputs, self._outputs = self._outputs, []
        if outputs:
            with self.index_transaction() as connection:
                connection.execute(self.prepare_insert_event_batch(outputs))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        """Whether the table of assets has a column; the parent asks the catalogs each time, twice for each event of an asset."""
        if column_name not in self._known_columns:
            self._known_columns[column_name] = super()._has_asset_key_col_on_connection(conn, column_name)
        return self._known_columns[column_name]

    @cached_property
    def _outputs(self) -> list[dg.EventLogEntry]:
        return []

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


def _plans_check(event: dg.EventLogEntry) -> bool:
    return event.dagster_event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
