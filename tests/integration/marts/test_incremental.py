"""Incremental refreshes: whatever changed, and whatever refreshes came before, the marts hold what a full rebuild would, bit for bit."""

import os
import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.marts.conftest import House
from tests.integration.marts.histories import History, together
from tests.integration.marts.rebuilds import differences_from_rebuild, refresh

REFRESHES = 4
HISTORIES = int(os.environ.get("RUNMART_TEST_HISTORIES", "40"))


def check_histories(house: House, monkeypatch: pytest.MonkeyPatch, seeds: list[int]) -> None:
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
                monkeypatch.setenv("RUNMART_PUBLISH", "later")
                refresh(house)
                monkeypatch.delenv("RUNMART_PUBLISH")
                house.fill(together(histories))
            case "part":
                refresh(house, "--select", "+fct_runs", "+metric_summary")
                house.fill(together(histories))
        refresh(house)
        assert house.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)]
        assert differences_from_rebuild(house, monkeypatch) == {}


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_incremental_refreshes_equal_a_full_rebuild(house: House, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    refresh(house)
    check_histories(house, monkeypatch, [seed + number for number in range(HISTORIES)])
