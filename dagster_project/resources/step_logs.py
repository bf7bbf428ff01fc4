"""What steps print, named in `dagster.yaml`.

Belongs here: telling Dagster where its files are. Does not belong here: where a command shows its progress meanwhile (`terminal`).
"""

from collections.abc import Mapping
from typing import Any, Self

from dagster_project.internals.dagster import ConfiguredClass, StepLogFiles
from dagster_project.settings import Settings


class StepLogs(StepLogFiles):
    """Files under the home; the UI shows them with their step."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No configuration: the settings know."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfiguredClass | None, config_value: Mapping[str, Any]) -> Self:
        """Resolve the folder, where Dagster has it by itself."""
        return cls(str(Settings.from_environment().home / "dagster" / "storage"), inst_data=inst_data)
