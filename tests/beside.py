"""Work beside the test, in a process of its own.

Belongs here: starting and ending it. Does not belong here: what it does.
"""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Generic, TypeVar

Seen = TypeVar("Seen")


@contextmanager
def beside(work: Callable[[Event], None]) -> Iterator[None]:
    """Work until the end of the block; it gets the event that tells it to end, and is waited for."""
    context = multiprocessing.get_context("fork")
    stopped = context.Event()
    process = context.Process(target=work, args=(stopped,))
    process.start()
    try:
        yield
    finally:
        stopped.set()
        process.join()


class Crowd(Generic[Seen]):
    """Work for `beside` that many do at once, each in a thread; all of them in one process, because they would slow this one down."""

    def __init__(self, number: int, member: Callable[[int, threading.Event, Seen], None], seen: Seen) -> None:
        """Gather so many.

        Args:
            number: How many.
            member: What each does until the event is set: with its number, from 0, and with what all of them add to.
            seen: What they add to, without a lock.
        """
        self._number = number
        self._member = member
        self._at_first = seen
        self._at_last = multiprocessing.get_context("fork").SimpleQueue()

    def __call__(self, stopped: Event) -> None:
        """Work until told to end."""
        must_end = threading.Event()
        threads = [threading.Thread(target=self._member, args=(number, must_end, self._at_first)) for number in range(self._number)]
        for thread in threads:
            thread.start()
        stopped.wait()
        must_end.set()
        for thread in threads:
            thread.join()
        self._at_last.put(self._at_first)

    def seen(self) -> Seen:
        """What they have added; to be asked for once, when they have ended."""
        seen: Seen = self._at_last.get()
        return seen
