"""Sources of other PostgreSQL versions than the warehouse's."""

from collections.abc import Callable, Iterator

import pytest

from dagster_project.ingestion import slot
from dagster_project.ingestion.errors import SyncError
from dagster_project.ingestion.reconcile import Reconcile
from tests.databases import wait_for_earlier_transactions
from tests.integration.ingestion.conftest import CONTRACT, SOURCE, Pair
from tests.integration.ingestion.servers import VERSIONS, running

_OLDEST_WITH_COLUMN_LISTS = 15


@pytest.fixture(scope="module", params=VERSIONS)
def old_source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """A filled source of each version at hand: the version and its URL."""
    with running(request.param, tmp_path_factory.mktemp("old") / "server") as url:
        pair = Pair(url, "")
        pair.at_source(SOURCE)
        pair.at_source("insert into parent select n, 'parent ' || n, 'calm', 'hidden' from generate_series(1, 500) as n")
        pair.at_source("insert into child (child_id, at, value) select n, timestamp 'infinity', 'NaN' from generate_series(1, 500) as n")
        yield request.param, url


@pytest.mark.parametrize("capture", ["horizon", "cdc"])
def test_source_of_an_older_version_is_followed(old_source: tuple[int, str], capture: str, new_database: Callable[[str], str]) -> None:
    version, url = old_source
    pair = Pair(url, new_database("warehouse"), "cdc" if capture == "cdc" else "horizon")
    cdc = CONTRACT.model_copy(update={"capture": "cdc"})
    if capture == "cdc" and version < _OLDEST_WITH_COLUMN_LISTS:
        with pytest.raises(SyncError, match="15"):
            slot.enable(cdc, url)
    elif capture == "cdc":
        slot.enable(cdc, url)
    pair.sync()
    pair.assert_equal()
    wait_for_earlier_transactions(pair.source_url)
    pair.at_source("update child set value = child_id where child_id % 7 = 0; delete from child where child_id % 11 = 0")
    pair.at_source("insert into child (child_id, at) select n, '2020-01-01' from generate_series(1, 50) as n on conflict do nothing")
    result = pair.sync()
    pair.assert_equal()
    found_by = {table.table: table.found_by for table in result.tables}
    if capture == "cdc" and version >= _OLDEST_WITH_COLUMN_LISTS:
        assert found_by["child"] == "change data capture"
    else:
        assert found_by["child"].startswith("horizon")
    # The same bytes hash alike in both versions, or everything would differ.
    (parent, child) = pair.sync(reconciling=Reconcile()).reconciliations
    assert parent.differing == child.differing == 0
    assert parent.rows_read < 500
    slot.disable(cdc, url)
