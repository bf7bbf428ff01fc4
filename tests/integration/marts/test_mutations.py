"""Every derived way is needed: where one is cut, some history publishes something else than a full rebuild."""

from datetime import UTC, datetime

from tests.integration.marts.conftest import House
from tests.integration.marts.mutations import survivors, ways_of

MOMENT = datetime(2025, 3, 1, tzinfo=UTC)
HISTORIES = 160
STEPS = 14

# Followed without need, by what the derivation cannot tell: groups are touched too often, and never too seldom.
NEEDLESS = {
    "worktree_sync_health: worktree_sync_history(target_worktree_id) -> worktrees": "groups are those of the source",
}


def test_no_way_can_be_cut_unnoticed(each_house: House) -> None:
    # What is recomputed whole needs none.
    has_groups = any(not each_house.plan.project.models[mart].is_whole for mart in each_house.kept)
    assert bool(ways_of(each_house.plan, each_house.system)) == has_groups
    assert survivors(each_house, MOMENT, range(1, 1 + HISTORIES), STEPS, NEEDLESS) == set()


def test_ways_that_are_needless_are_followed(house: House) -> None:
    assert NEEDLESS.keys() <= {str(way) for system in house.contracts for way in ways_of(house.plan, system)}
