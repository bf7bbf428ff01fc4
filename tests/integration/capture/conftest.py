"""Two servers of our own, one for sources and one for warehouses, and fresh databases on them.

Belongs here: what capture tests share. They have servers of their own because they crash them.
"""

from collections.abc import Iterator

import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import slot
from tests.integration.capture.judge import exact_sync
from tests.integration.capture.places import Place, place, servers
from tests.integration.capture.servers import Server
from tests.integration.capture.tables import contract
from tests.integration.capture.writers import fill


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


@pytest.fixture(params=["horizon", "cdc"])
def awkward(request: pytest.FixtureRequest, somewhere: Place) -> SystemContract:
    """The contract in each capture mode, its filled source synced once."""
    chosen = contract(request.param)
    fill(somewhere.source_url, "before", 50)
    if chosen.capture == "cdc":
        slot.enable(chosen, somewhere.source_url)
    exact_sync(somewhere, chosen)
    return chosen
