"""Refreshes that are killed at any moment leave the published marts whole, and the next one is right."""

import os
import random
import time

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.histories.history import together
from tests.integration.capture.attempts import Ending, attempt
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import differences_from_rebuild, published, refresh
from tests.waiting import until

HISTORIES = 5
KILLS = int(os.environ.get("RUNMART_TEST_KILLS", "8"))


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_refreshes_that_are_killed_are_made_good_by_the_next(house: House, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    histories = [house.history(number, seed + number) for number in range(1, HISTORIES + 1)]
    house.fill(together(histories))
    started = time.monotonic()
    refresh(house)
    seconds = time.monotonic() - started
    killed = 0
    while killed < KILLS:
        for history in histories:
            history.step(share=0.2)
        house.fill(together(histories))
        before = published(house)
        seen = attempt(lambda _: refresh(house), disturb_after=chance.uniform(0, seconds))
        assert seen.ending in {Ending.KILLED, Ending.DONE}, seen.error
        killed += seen.ending is Ending.KILLED
        # What the server was told last it still does.
        until(lambda: house.warehouse("select count(*) from pg_stat_activity where application_name = 'dbt'") == [(0,)])
        left = published(house)
        refresh(house)
        assert left in (before, published(house))
    assert differences_from_rebuild(house) == {}
