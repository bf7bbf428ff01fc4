"""Ways from changed rows to groups, each cut once: a way that histories do not need is one that the oracle would not miss.

Belongs here: which ways there are, and whether the groups that a change makes other than they were are still touched without one of them.
Does not belong here: the histories (`tests/histories`), and what is made of survivors.

What is published before a change and what a full rebuild makes after it say which groups are others. A refresh that does not touch one of
these publishes something else than the rebuild, which is what the oracle holds against each other.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from dagster_project.marts.definition import definition
from dagster_project.marts.influence import Hop
from dagster_project.marts.lineage import MART
from dagster_project.marts.plan import Family, Followers, Plan, make_plan
from dagster_project.marts.postgres.candidates import changes_of, image_of
from dagster_project.marts.postgres.names import columns, quoted, relation, row
from dagster_project.marts.postgres.state import kept, reads_of
from dagster_project.marts.postgres.touching import Touching
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.schemas import CANDIDATES
from tests.histories.history import together
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import columns_of, refresh


@dataclass(frozen=True)
class Way:
    """A foreign key by which changes reach the groups of a family, or a mart by whose rows they reach those of followers."""

    of: Family | Followers
    by: Hop | str

    def __str__(self) -> str:
        return f"{', '.join(name for name in self.of.models)}: {self.by}"


def ways_of(plan: Plan, system: str) -> list[Way]:
    """All by which rows of a system reach groups."""
    by_keys = [Way(family, hop) for family in plan.families if family.group.system == system for hop in family.influence.hops]
    by_rows = [Way(followers, mart) for followers in plan.followers for mart in followers.followed]
    return by_keys + [way for way in by_rows if any(behind == system for behind, _ in plan.project.behind(str(way.by)))]


def survivors(house: House, moment: datetime, seeds: Sequence[int], steps: int, needless: Collection[str]) -> set[str]:
    """The ways that no step of any history needs, but some of which that is known.

    Args:
        house: With a source that histories fill.
        moment: When all refreshes take place, so that time alone changes nothing.
        seeds: One for each history.
        steps: How often they change, at most.
        needless: The ways of which it is known.
    """
    histories = [house.history(number, seed) for number, seed in enumerate(seeds, start=1)]
    with house.at(moment):
        house.fill(together(histories))
        refresh(house, "--full-refresh")
        with house.transforming() as cursor:
            plan = make_plan(house.plan.project, house.plan.contracts, reads_of(kept(cursor, definition())))
        left = [way for way in ways_of(plan, house.system) if str(way) not in needless]
        for step in range(steps):
            seen = dict(house.warehouse("select system, batch_id from ops.sync_state"))
            for history in histories:
                # Where much changes, most groups are touched in several ways.
                history.change_one() if step % 2 else history.step()
            house.fill(together(histories))
            house.rebuild()
            with house.transforming() as cursor:
                left = [way for way in left if not _is_missed(cursor, plan, way, seen)]
            if not left:
                break
            _publish(house, plan)
    return {*map(str, left)}


def _publish(house: House, plan: Plan) -> None:
    """Let what is published be what was rebuilt. A refresh would do so by the ways that are asked about."""
    for mart in house.kept:
        place, listed = _published(plan, mart), columns_of(house, mart)
        house.warehouse(f"delete from {place}; insert into {place} ({listed}) select {listed} from {_rebuilt(mart)}")


def _is_missed(cursor: Cursor, plan: Plan, way: Way, seen: Mapping[str, int]) -> bool:
    """Whether a group is another one that nothing touches without the way."""
    touched = _touched_without(plan, way, seen)
    for mart in (name for name in way.of.models if plan.project.models[name].kind == MART):
        group = plan.group_columns(mart)
        cursor.execute(f"select exists (select {columns(group)} from ({_differing(plan, mart, group)}) as differing except ({touched}))")
        if one_row(cursor)[0]:
            return True
    return False


def _touched_without(plan: Plan, way: Way, seen: Mapping[str, int]) -> str:
    """A query of the groups that are touched without the way, by the columns that name them in marts."""
    if isinstance(way.of, Family):
        contract = plan.contracts[way.of.group.system]
        assert isinstance(way.by, Hop)
        keys = Touching(contract, way.of.influence.without(way.by), seen[contract.system]).query()
        made = ", ".join(f"{made} as {quoted(name)}" for name, made in plan.columns_of(way.of).items())
        return f"select {made} from ({keys}) as keys"
    return "\nunion\n".join(_by_rows_of(plan, way.of, mart) for mart in way.of.followed if mart != way.by) or _none(plan, way.of)


def _by_rows_of(plan: Plan, followers: Followers, mart: str) -> str:
    """Groups of followers that say the same as a row of a mart which is another one."""
    known, group = followers.followed[mart], columns(followers.group.columns)
    return f"select {group} from ({_all_groups(plan, followers)}) as known where {row(known)} in ({_differing(plan, mart, known)})"


def _all_groups(plan: Plan, followers: Followers) -> str:
    marts = [name for name in followers.models if plan.project.models[name].kind == MART]
    return "\nunion\n".join(
        f"select {columns(followers.group.columns)} from {place}" for mart in marts for place in (_published(plan, mart), _rebuilt(mart))
    )


def _none(plan: Plan, followers: Followers) -> str:
    return f"select {columns(followers.group.columns)} from ({_all_groups(plan, followers)}) as known where false"


def _differing(plan: Plan, mart: str, listed: Sequence[str]) -> str:
    """Columns of rows that stand on one side only: published, or in a full rebuild."""
    read = f"select {columns(listed)}, {image_of(plan.project.models[mart].columns)} as image from"
    published, rebuilt = f"{read} {_published(plan, mart)}", f"{read} {_rebuilt(mart)}"
    return (
        f"select {columns(listed)} from ({published} except all {rebuilt}) as gone"
        f" union select {columns(listed)} from ({rebuilt} except all {published}) as come"
    )


def _published(plan: Plan, mart: str) -> str:
    return relation(*plan.published(mart))


def _rebuilt(mart: str) -> str:
    return relation(CANDIDATES, changes_of(mart))
