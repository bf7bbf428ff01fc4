"""The storage of files as a Dagster resource.

Belongs here: finding it when a run asks for it, never when definitions load. Does not belong here: what it is (`quality.storage`), and
where the settings say that it is.
"""

from dataclasses import dataclass

from dagster_project.quality.storage import Storage
from dagster_project.settings import Settings


@dataclass(frozen=True)
class FileStorage:
    """The storage that runs read. It is no part of a run's configuration, which the UI shows: its URL may hold a secret.

    Attributes:
        given: Use this one instead of that of the settings.
    """

    given: Storage | None = None

    def opened(self) -> Storage:
        """The storage."""
        return self.given or Storage.at(Settings.from_environment().storage_url)
