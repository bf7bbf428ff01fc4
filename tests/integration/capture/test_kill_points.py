"""A sync that is killed at each of its stages, in the first load and later, leaves all of its work or nothing; the next one goes on."""

import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import relay, slot
from dagster_project.ingestion.events import Stage
from dagster_project.ingestion.sync import sync
from tests.integration.capture.attempts import Attempt, Ending, KillPoint, attempt
from tests.integration.capture.judge import Judge
from tests.integration.capture.places import Place
from tests.integration.capture.tables import contract
from tests.integration.capture.writers import fill


@pytest.mark.parametrize(("capture", "connections"), [("horizon", 1), ("horizon", 3), ("cdc", 3)])
def test_every_stage_is_a_place_to_die(capture: str, connections: int, somewhere: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    # Else it is told of copying every two seconds, which is longer than any of these tables takes.
    monkeypatch.setattr(relay, "SECONDS_BETWEEN_REPORTS", 0.0)
    declared = contract("cdc" if capture == "cdc" else "horizon")
    chosen = declared.model_copy(update={"limits": declared.limits.model_copy(update={"connections": connections})})
    fill(somewhere.source_url, "before", 50)
    if capture == "cdc":
        slot.enable(chosen, somewhere.source_url)
    judge = Judge(chosen, somewhere.source_url, somewhere.warehouse_url)
    killed: set[Stage] = set()
    for occurrence in (1, 1, 3):
        for stage in Stage:
            seen = run(somewhere, chosen, judge, KillPoint(stage, occurrence))
            assert (seen.ending is Ending.KILLED) == (seen.stages.count(stage) >= occurrence), seen.error
            killed |= {stage} if seen.ending is Ending.KILLED else set()
            fill(somewhere.source_url, f"{occurrence} {stage}", 4)
    assert killed == set(Stage)
    assert run(somewhere, chosen, judge, None).ending is Ending.DONE
    assert judge.final().total == 0


def run(place: Place, chosen: SystemContract, judge: Judge, kill_at: KillPoint | None) -> Attempt:
    seen = attempt(lambda tell: sync(chosen, place.source_url, place.warehouse_url, on_event=tell), judge.on_snapshot, kill_at)
    difference = judge.verdict(seen)
    assert difference.total == 0, (kill_at, difference)
    return seen
