"""Two servers of our own, one for sources and one for warehouses, and fresh databases on them.

Belongs here: what capture tests share. They have servers of their own because they crash them.
"""

from collections.abc import Iterator

import pytest

from tests.integration.capture.places import Place, place, servers
from tests.integration.capture.servers import Server


@pytest.fixture(scope="session")
def capture_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """A source and a warehouse server, running."""
    with servers(tmp_path_factory.mktemp("capture")) as running:
        yield running


@pytest.fixture
def somewhere(capture_servers: tuple[Server, Server]) -> Iterator[Place]:
    """A fresh source with the awkward tables, still empty, and a fresh warehouse."""
    with place(*capture_servers) as fresh:
        yield fresh
