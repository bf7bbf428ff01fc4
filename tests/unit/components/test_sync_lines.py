"""A sync told in lines: silence over quiet tables, an estimate for long copies."""

from types import SimpleNamespace

import pytest

from dagster_project.components.sync_lines import SyncLines
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.watermark import TableSync


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("dagster_project.components.sync_lines.time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def orders(found_by: str = "horizon", rows_read: int = 0, seconds: float = 0.01, changed: tuple[int, int, int] = (0, 0, 0)) -> TableSync:
    """What was done to the orders; `changed` are the rows inserted, updated and deleted."""
    inserted, updated, deleted = changed
    return TableSync("orders", found_by, 10, rows_read, 2_000_000, inserted, updated, deleted, seconds)


def test_long_copy_is_told_every_five_seconds_with_share_and_time_left(clock: Clock) -> None:
    said: list[str] = []
    lines = SyncLines(said.append)
    lines.tell(SyncEvent(Stage.SNAPSHOT))
    for seconds, copied in ((10, 1.0), (12, 1.2), (14, 1.4), (20, 2.0), (30, 3.1)):
        clock.now = 100.0 + seconds
        lines.tell(SyncEvent(Stage.COPYING, "metrics", copied_bytes=int(copied * 10**9), estimated_bytes=3 * 10**9))
    assert said == [
        "metrics: about 33 % copied, 1.0 GB of about 3.0 GB, 20 s to go",
        "metrics: about 66 % copied, 2.0 GB of about 3.0 GB, 10 s to go",
        "metrics: 3.1 GB copied",
    ]


def test_time_left_counts_from_the_beginning_of_its_own_table(clock: Clock) -> None:
    said: list[str] = []
    lines = SyncLines(said.append)
    clock.now = 1000.0
    lines.tell(SyncEvent(Stage.LOADED, "orders", table_sync=orders()))
    clock.now = 1010.0
    lines.tell(SyncEvent(Stage.COPYING, "metrics", copied_bytes=100_000_000, estimated_bytes=400_000_000))
    assert said == ["metrics: about 25 % copied, 100.0 MB of about 400.0 MB, 30 s to go"]


def test_table_that_is_loaded_meanwhile_does_not_shorten_the_time_left(clock: Clock) -> None:
    said: list[str] = []
    lines = SyncLines(said.append)
    lines.tell(SyncEvent(Stage.SNAPSHOT))
    for seconds, copied in ((10, 1.0), (20, 2.0)):
        clock.now = 100.0 + seconds
        lines.tell(SyncEvent(Stage.COPYING, "metrics", copied_bytes=int(copied * 10**9), estimated_bytes=3 * 10**9))
        lines.tell(SyncEvent(Stage.LOADED, "orders", table_sync=orders()))
    assert said[-1] == "metrics: about 66 % copied, 2.0 GB of about 3.0 GB, 10 s to go"


@pytest.mark.parametrize("expected", [None, 0])
def test_copy_of_unknown_size_has_no_estimate(clock: Clock, expected: int | None) -> None:
    said: list[str] = []
    SyncLines(said.append).tell(SyncEvent(Stage.COPYING, "metrics", copied_bytes=5_000, estimated_bytes=expected))
    assert said == ["metrics: 5.0 kB copied"]


@pytest.mark.parametrize(
    ("table", "lines"),
    [
        (orders(rows_read=7), []),
        (orders(seconds=1.5), ["orders: 0 rows read (horizon, 2.0 MB), 0 inserted, 0 updated, 0 deleted in 1.5 s"]),
        (
            orders(rows_read=1234, changed=(0, 0, 1)),
            ["orders: 1,234 rows read (horizon, 2.0 MB), 0 inserted, 0 updated, 1 deleted in 0.0 s"],
        ),
    ],
)
def test_table_is_told_if_it_changed_or_took_long(table: TableSync, lines: list[str]) -> None:
    said: list[str] = []
    SyncLines(said.append).tell(SyncEvent(Stage.APPLIED, "orders", table_sync=table))
    assert said == lines


def test_first_load_is_told_once_unless_something_came_on_top() -> None:
    said: list[str] = []
    lines = SyncLines(said.append)
    first = orders("first load", rows_read=5, changed=(5, 0, 0))
    lines.tell(SyncEvent(Stage.LOADED, "orders", table_sync=first))
    lines.tell(SyncEvent(Stage.APPLIED, "orders", table_sync=first + orders("unchanged", seconds=0.0)))
    assert len(said) == 1
    lines.tell(SyncEvent(Stage.APPLIED, "orders", table_sync=first + orders(rows_read=1, changed=(0, 1, 0))))
    assert said[1:] == ["orders: 6 rows read (first load, horizon, 4.0 MB), 5 inserted, 1 updated, 0 deleted in 0.0 s"]
