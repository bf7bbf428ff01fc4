"""The instance's storage, named in `dagster.yaml`.

Belongs here: telling Dagster where its PostgreSQL is. A class instead of a URL in the file, so that `dagster` started by itself finds the
embedded server too, and no URL is written anywhere.
"""

from collections.abc import Mapping
from typing import Any, Self

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from dagster_project.resources.databases import INSTANCE, Databases, sqlalchemy_url
from dagster_project.settings import Settings


class InstanceStorage(DagsterPostgresStorage):
    """Runs, events and schedules in PostgreSQL, on the server that the settings say."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No configuration: the settings know."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Resolve the URL; starts the embedded server if the instance lives there."""
        url = sqlalchemy_url(Databases(Settings.from_environment()).url(INSTANCE))
        return cls(postgres_url=url, inst_data=inst_data)
