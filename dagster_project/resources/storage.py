"""The instance's storage, named in `dagster.yaml`.

Belongs here: telling Dagster where its PostgreSQL is, and that connections are used again. A class instead of a URL in the file, so that
`dagster` started by itself finds the embedded server too, and no URL is written anywhere.
"""

from collections.abc import Mapping
from typing import Any, Self

from dagster_postgres import DagsterPostgresStorage

from dagster_project.internals.dagster import ConfiguredClass, keep_connections
from dagster_project.postgres.urls import sqlalchemy_url
from dagster_project.resources.databases import INSTANCE, Databases
from dagster_project.settings import Settings

# A connection that is older is replaced when it is needed next: something between the machines may have dropped it.
_SECONDS_TO_KEEP = 300


class InstanceStorage(DagsterPostgresStorage):
    """Runs, events and schedules in PostgreSQL, on the server that the settings say."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No configuration: the settings know."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfiguredClass | None, config_value: Mapping[str, Any]) -> Self:
        """Resolve the URL; starts the embedded server if the instance lives there.

        Dagster by itself uses connections again in its webserver only. Elsewhere it opens one for each read and write: a sync of one row,
        with its 244 checks, took 18 s in all instead of 11.
        """
        url = sqlalchemy_url(Databases(Settings.from_environment()).url(INSTANCE))
        storage = cls(postgres_url=url, inst_data=inst_data)
        keep_connections(storage, _SECONDS_TO_KEEP)
        return storage
