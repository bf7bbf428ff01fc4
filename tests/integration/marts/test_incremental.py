"""Incremental refreshes: whatever changed, and whatever refreshes came before, the marts hold what a full rebuild would, bit for bit."""

import os
import random
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.marts.conftest import House
from tests.integration.marts.histories import History, together
from tests.integration.marts.rebuilds import differences_from_rebuild, refresh

REFRESHES = 4
HISTORIES = int(os.environ.get("RUNMART_TEST_HISTORIES", "40"))


def check_histories(house: House, seeds: list[int]) -> None:
    """Let histories change side by side and refresh in every way; hold each published refresh against a full rebuild."""
    histories = [History(number, seed) for number, seed in enumerate(seeds, start=1)]
    chance = random.Random(seeds[0])  # noqa: S311
    for _ in range(REFRESHES):
        for _ in range(chance.choice([1, 1, 2])):
            house.fill(together(histories))
            for history in histories:
                history.step()
        # What a refresh that was not published, or only in part, has done must not be taken for done.
        match chance.choice(["", "", "unpublished", "part"]):
            case "unpublished":
                house.build(flags=["--exclude-resource-type", "test"], publish=False)
                house.fill(together(histories))
            case "part":
                house.build("fct_runs", "metric_summary", flags=["--exclude-resource-type", "test"])
                house.fill(together(histories))
        refresh(house)
        assert house.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)]
        assert differences_from_rebuild(house) == {}


def test_zombie_that_only_a_part_has_published_reaches_the_other_marts(house: House) -> None:
    started = datetime.now(UTC) - timedelta(hours=30)
    times = {"created_at": started, "updated_at": started}
    run = {"run_id": 1, "experiment_id": 1, "run_name": "r", "run_fingerprint": "a" * 64, "status": "running", "start_time": started}
    house.fill({"experiments": [{"experiment_id": 1, "experiment_name": "a", **times}], "runs": [{**run, **times}]})
    refresh(house)
    # As if the last complete refresh had been before the run became one, and a partial one of fct_runs after it.
    house.warehouse("update analytics.experiment_summary set zombie_runs = 0")
    house.warehouse("update ops.refreshes set started_at = started_at - interval '20 hours'")
    refresh(house)
    assert house.warehouse("select zombie_runs from analytics.experiment_summary") == [(1,)]


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_incremental_refreshes_equal_a_full_rebuild(house: House, seed: int) -> None:
    refresh(house)
    check_histories(house, [seed + number for number in range(HISTORIES)])
