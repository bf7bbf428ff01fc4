"""The instance's storage, named in `dagster.yaml`.

Belongs here: telling Dagster where its PostgreSQL is, and how its connections are used. A class instead of a URL in the file, so that
`dagster` started by itself finds the embedded server too, and no URL is written anywhere.
"""

from collections.abc import Mapping
from typing import Any, Self

from sqlalchemy import make_url

from dagster_project.internals.dagster import ConfiguredClass, keep_connections
from dagster_project.internals.dagster_postgres import Storage
from dagster_project.postgres.urls import sqlalchemy_url
from dagster_project.resources.databases import INSTANCE, Databases
from dagster_project.settings import Settings

# A connection that is older is replaced when it is needed next: something between the machines may have dropped it.
_SECONDS_TO_KEEP = 300

# A run stores hundreds of events, each in up to three transactions. To wait for the disk after each took most of its time. What a power
# failure then takes are the last events of runs that it has ended; rows and what is published are committed by themselves.
_COMMIT_LAZILY = "-c synchronous_commit=off"


class InstanceStorage(Storage):
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
        url = make_url(sqlalchemy_url(Databases(Settings.from_environment()).url(INSTANCE)))
        given = url.query.get("options", ())
        options = " ".join([*([given] if isinstance(given, str) else given), _COMMIT_LAZILY])
        storage = cls(url.update_query_dict({"options": options}).render_as_string(hide_password=False), inst_data)
        keep_connections(storage, _SECONDS_TO_KEEP)
        return storage
