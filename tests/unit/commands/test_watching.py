"""When a watch runs: when something is new, once for each time, and later and later while runs fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dagster_project.commands.watching import Watch
from dagster_project.errors import RunmartError
from dagster_project.ingestion.news import Difference


@dataclass
class World:
    """Sources, marts and a clock."""

    news: dict[str, Mapping[str, Difference] | Exception | None] = field(default_factory=lambda: {"shop": {}, "lab": {}})
    is_published: bool = True
    succeeds: bool = True
    now: float = 0.0
    runs: list[Sequence[str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        looks = {system: lambda system=system: self._look(system) for system in self.news}
        self.watch = Watch(looks, lambda: self.is_published, self._run, self.told.append, lambda: self.now)

    def _look(self, system: str) -> Mapping[str, Difference] | None:
        answer = self.news[system]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _run(self, systems: Sequence[str]) -> bool:
        self.runs.append(systems)
        return self.succeeds

    def turns(self, number: int = 1) -> int:
        """How many runs so many looks lead to."""
        before = len(self.runs)
        for _ in range(number):
            found = self.watch.look()
            if found is not None:
                self.watch.act(found)
        return len(self.runs) - before


def test_nothing_new_runs_nothing() -> None:
    world = World()
    assert world.turns(10) == 0
    assert world.told == []


def test_news_runs_once_for_all_systems() -> None:
    world = World()
    world.turns()
    world.news["shop"] = {"orders": Difference("a")}
    assert world.turns() == 1
    # Still found, because a transaction at the source is open.
    assert world.turns(5) == 0
    world.news["shop"] = {"orders": Difference("b")}
    assert world.turns(5) == 1
    world.news["shop"] = {}
    assert world.turns(5) == 0
    world.news["shop"] = {"orders": Difference("b")}
    assert world.turns(5) == 1
    world.news["shop"] = {"orders": Difference("b", "rows")}
    assert world.turns(3) == 3
    assert {*world.runs} == {()}


def test_what_was_left_unpublished_before_is_published_once() -> None:
    world = World(is_published=False)
    assert world.turns() == 1
    assert world.turns(5) == 0


def test_no_run_while_a_sync_is_under_way() -> None:
    world = World(news={"shop": None, "lab": {"x": Difference("a")}})
    assert world.turns(3) == 0
    world.news["shop"] = {}
    assert world.turns() == 1


def test_runs_that_fail_are_repeated_later_and_later() -> None:
    world = World(succeeds=False)
    world.news["shop"] = {"orders": Difference("a")}
    times = []
    for second in range(1000):
        world.now = float(second)
        times += [second] * world.turns()
    assert times == [0, 10, 30, 70, 150, 310, 610, 910]
    world.succeeds, world.now = True, 1210.0
    assert world.turns(5) == 1
    world.news["shop"] = {"orders": Difference("b")}
    assert world.turns(5) == 1


def test_failed_run_is_repeated_although_nothing_is_new_since() -> None:
    world = World(succeeds=False)
    world.news["shop"] = {"orders": Difference("a")}
    world.turns()
    world.news["shop"], world.succeeds, world.now = {}, True, 10.0
    assert world.turns(5) == 1


def test_source_that_is_down_is_told_once_and_once_when_it_is_back() -> None:
    world = World()
    world.news["shop"] = RunmartError("the source shop is down")
    assert world.turns(5) == 0
    world.news["lab"] = {"x": Difference("a")}
    assert world.turns(5) == 1
    assert world.runs == [["lab"]]
    world.news["shop"] = {}
    assert world.turns(5) == 0
    assert world.told == ["watch: the source shop is down; looking on", "watch: shop can be asked again"]


def test_nothing_runs_while_no_source_can_be_asked() -> None:
    world = World(succeeds=False)
    world.news["shop"] = {"orders": Difference("a")}
    world.turns()
    world.news = {"shop": RunmartError("down"), "lab": RunmartError("down")}
    world.now = 1000.0
    assert world.turns(5) == 0
