"""Alerts to people, through Apprise.

Belongs here: sending one message to every configured URL. Does not belong here: deciding what is worth one (`defs.automation`).
"""

import dagster as dg

from dagster_project.errors import RunmartError
from dagster_project.settings import Settings


class AlertError(RunmartError):
    """An alert could not be delivered; the message names the kind of receiver, never its secret."""


class Alerts(dg.ConfigurableResource[None]):
    """Where alerts go.

    Attributes:
        fixed_urls: Apprise URLs used instead of `RUNMART_ALERT_URLS`.
    """

    fixed_urls: list[str] | None = None

    def send(self, title: str, body: str) -> int:
        """Send one message to every receiver.

        Returns:
            The number of receivers; 0 means that none is configured.

        Raises:
            AlertError: A URL is not one that Apprise knows, or a receiver did not take the message.
        """
        # Apprise imports every plugin that it has; only a run that alerts pays for it.
        from apprise import Apprise  # noqa: PLC0415

        urls = self.fixed_urls if self.fixed_urls is not None else Settings.from_environment().alert_urls
        for url in urls:
            receiver = Apprise()
            kind = url.partition(":")[0]
            if not receiver.add(url):
                raise AlertError(f"RUNMART_ALERT_URLS has a {kind!r} URL that Apprise does not understand")
            if not receiver.notify(title=title, body=body):
                raise AlertError(f"the {kind!r} receiver of RUNMART_ALERT_URLS did not take the message {title!r}")
        return len(urls)
