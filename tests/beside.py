"""Work beside the test, in a process of its own.

Belongs here: starting and ending it. Does not belong here: what it does.
"""

import multiprocessing
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from tempfile import TemporaryFile
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
        self._seen = seen
        # A pipe would hold up a process with much to tell until somebody reads, and that waits for the process.
        self._told = TemporaryFile()  # noqa: SIM115

    def __call__(self, stopped: Event) -> None:
        """Work until told to end."""
        must_end = threading.Event()
        threads = [threading.Thread(target=self._member, args=(number, must_end, self._seen)) for number in range(self._number)]
        for thread in threads:
            thread.start()
        stopped.wait()
        must_end.set()
        for thread in threads:
            thread.join()
        pickle.dump(self._seen, self._told)
        self._told.flush()

    def seen(self) -> Seen:
        """What they have added; to be asked for when they have ended."""
        self._told.seek(0)
        seen: Seen = pickle.load(self._told)  # noqa: S301
        return seen
