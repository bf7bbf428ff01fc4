"""Work beside a test: it ends when it is told to, and what it has seen arrives."""

import threading
from multiprocessing.synchronize import Event

from tests.beside import Crowd, beside

# More than a pipe holds.
MANY = 200_000


def remember(number: int, must_end: threading.Event, seen: list[int]) -> None:
    """Note much, and stay until the end."""
    seen.extend([number] * MANY)
    must_end.wait()


def test_all_that_a_crowd_has_seen_arrives() -> None:
    crowd: Crowd[list[int]] = Crowd(3, remember, [])
    with beside(crowd):
        pass
    assert sorted(crowd.seen()) == [0] * MANY + [1] * MANY + [2] * MANY


def test_work_ends_with_the_block() -> None:
    def work(stopped: Event) -> None:
        stopped.wait()

    with beside(work):
        pass
