"""What dbt says in a refresh, and to whom."""

import io
from collections.abc import Callable

import pytest
from dbt_common.events.base_types import EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.logger import LineFormat, LoggerConfig
from dbt_common.events.types import Note

from dbt_runmart.log import write_what_is_read
from dbt_runmart.starting import REFRESH

DETAIL, NEWS = "how it is done", "that it is done"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, int]]:
    """What logs of these levels take of a detail and of news, and how many lines were made for it."""
    monkeypatch.setattr(EventManager, "fire_event", EventManager.fire_event)
    write_what_is_read()

    def say(*levels: EventLevel) -> tuple[str, int]:
        manager, taken, lines = EventManager(), io.StringIO(), 0
        for number, level in enumerate(levels):
            config = LoggerConfig(f"{number}", level=level, line_format=LineFormat.PlainText, output_stream=taken)
            manager.add_logger(config)

        def count(_: object) -> bool:
            nonlocal lines
            lines += 1
            return True

        for log in manager.loggers:
            log.filter = count
        manager.fire_event(Note(msg=DETAIL), level=EventLevel.DEBUG)
        manager.fire_event(Note(msg=NEWS), level=EventLevel.INFO)
        return taken.getvalue(), lines

    return say


def test_a_refresh_makes_no_line_that_no_log_takes(said: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REFRESH, "2026-01-01")
    taken, lines = said(EventLevel.INFO, EventLevel.INFO)
    assert (DETAIL in taken, taken.count(NEWS), lines) == (False, 2, 2)


def test_a_log_that_takes_details_gets_them(said: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REFRESH, "2026-01-01")
    taken, lines = said(EventLevel.INFO, EventLevel.DEBUG)
    assert (taken.count(DETAIL), taken.count(NEWS), lines) == (1, 2, 4)


def test_dbt_by_itself_is_as_it_was(said: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REFRESH, raising=False)
    assert said(EventLevel.INFO)[1] == 2
