"""The oracles of all marts: what is published after any history equals a full rebuild, bit for bit, and what the source says.

Belongs here: refreshing marts, and holding what is published against a full rebuild and against the source, one time or along random
histories. What marts there are, their columns and their grain the manifest says; what the source is asked stands in `tests/oracles`.
Whether a fault of a project is noticed is asked in the same way, of a house of that project. Does not belong here: what changes in the
source (`tests/histories`).
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from dagster_project.marts.postgres.candidates import OF_THE_REFRESH
from tests.dbt_manifest import grain_of, kept_of, marts_of, models_of
from tests.histories.history import together
from tests.integration.marts.conftest import House
from tests.oracles.oracles import differences

REFRESHES = 4

# The share of refreshes before which rows are set aside.
QUARANTINE = 0.6

# When the first refresh of histories takes place, and how much later the next ones do: runs become zombies, years begin. All lie in the
# past, so that what other tests refresh comes later.
FIRST = datetime(2025, 1, 20, tzinfo=UTC)
PAUSES = (timedelta(minutes=1), timedelta(hours=5), timedelta(hours=30), timedelta(days=120))

# By mart: the key of a row that stands on one side only, the side, and the row.
Differences: TypeAlias = dict[str, list[tuple[str, str, str]]]


def refresh(house: House, *flags: str, publish: bool = True, failing: Mapping[str, str] | None = None) -> None:
    """Build without tests, and publish unless told otherwise, but for marts that fail; it must succeed."""
    house.build(flags=["--exclude-resource-type", "test", *flags], publish=publish, failing=failing)


def columns_of(house: House, mart: str, but: Sequence[str] = ()) -> str:
    """The columns of a mart, but some, as a list in SQL."""
    return ", ".join(f'"{column}"' for column in models_of(house.manifest)[mart]["columns"] if column not in but)


def _differences(house: House, mart: str) -> list[tuple[str, str, str]]:
    """Rows that stand on one side only: published, or in the full rebuild that is not published. What names the refresh does not count."""
    node = models_of(house.manifest)[mart]
    key = ", ".join(f'"{column}"' for column in grain_of(house.manifest, node))
    read = f"select row({key})::text as key, row({columns_of(house, mart, OF_THE_REFRESH)})::text as image from"
    published, rebuilt = f"{read} {node['schema']}.{mart}", f"{read} analytics_next.{mart}"
    return house.warehouse(
        f"select key, 'published' as side, image from ({published} except all {rebuilt}) as one"
        f" union all select key, 'rebuilt', image from ({rebuilt} except all {published}) as other order by 1, 2 limit 6"
    )


def differences_from_rebuild(house: House) -> Differences:
    """By mart, rows that a full rebuild, which is not published, would change; empty if it would change none."""
    house.rebuild()
    rebuilt = (mart for mart in kept_of(house.manifest) if not house.is_made_of_others(mart))
    return {mart: found for mart in rebuilt if (found := _differences(house, mart))}


def published(house: House) -> dict[str, str]:
    """Digests of all that analysts see, by mart."""
    return {
        mart: house.warehouse(f"select md5(string_agg(md5(r::text), '' order by md5(r::text))) from analytics.{mart} as r")[0][0]
        for mart in marts_of(house.manifest, "mart")
    }


def differences_from_source(house: House) -> Differences:
    """By mart, rows of which the source, by an oracle, and what is published say different things, as of the last refresh."""
    ((now,),) = house.warehouse("select started_at from ops.refreshes order by refresh_id desc limit 1")
    found = differences(house.source_urls, house.warehouse_url, now, [house.system])
    return {mart: [("", side, str(row)) for side, row in rows[:6]] for mart, rows in found.items()}


def differences_along_histories(house: House, seeds: Sequence[int]) -> Iterator[Differences]:
    """Let histories change side by side and refresh in every way; by refresh, how it differs from a full rebuild at the same moment.

    While no row is set aside, as at the end, it is held against the source, too.
    """
    histories = [house.history(number, seed) for number, seed in enumerate(seeds, start=1)]
    chance = random.Random(seeds[0])  # noqa: S311
    moment = FIRST
    with house.at(moment):
        refresh(house, "--full-refresh")
    for number in range(1, 1 + REFRESHES):
        for _ in range(chance.choice([1, 1, 2])):
            house.fill(together(histories))
            for history in histories:
                history.step()
        with house.at(moment):
            # What a refresh that was not published, or only in part, has done must not be taken for done.
            was_held = False
            match chance.choice(["", "", "unpublished", "part", "held", "failing"]):
                case "unpublished":
                    refresh(house, publish=False)
                    house.fill(together(histories))
                case "part":
                    part = chance.sample([*marts_of(house.manifest, "mart")], k=2)
                    house.build(*part, flags=["--exclude-resource-type", "test"])
                    house.fill(together(histories))
                case "held":
                    house.hold(chance.choice(sorted(house.tables)))
                    refresh(house)
                    house.hold()
                    house.fill(together(histories))
                    was_held = True
                case "failing":
                    failing = chance.choice(sorted(marts_of(house.manifest, "mart")))
                    before = published(house)[failing]
                    refresh(house, failing={failing: "fails a_check"})
                    assert published(house)[failing] == before, failing
                    house.fill(together(histories))
        # Rows are set aside and let back between any two refreshes.
        is_aside = house.set_aside(chance if chance.random() < QUARANTINE and number < REFRESHES else None)
        moment += chance.choice(PAUSES)
        with house.at(moment):
            refresh(house)
            # What follows a mart that was published without it has to be made anew.
            assert house.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1")[0][0] in (False, was_held)
            from_source = {} if is_aside else differences_from_source(house)
            yield from_source | differences_from_rebuild(house)
