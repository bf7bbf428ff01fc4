"""Work beside the test, in a process of its own.

Belongs here: starting and ending it. Does not belong here: what it does.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event


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
