"""Every derived way is needed: where one is cut, some history publishes something else than a full rebuild."""

from datetime import UTC, datetime

from tests.integration.marts.conftest import House
from tests.integration.marts.mutations import survivors, ways_of

MOMENT = datetime(2025, 3, 1, tzinfo=UTC)
HISTORIES = 160
STEPS = 14


def test_no_way_can_be_cut_unnoticed(each_house: House) -> None:
    assert ways_of(each_house.plan, each_house.system)
    left = survivors(each_house, MOMENT, range(1, 1 + HISTORIES), STEPS)
    assert not left, "\n".join(left)
