"""Waiting for what another process is about to do.

Belongs here: nothing but this.
"""

import time
from collections.abc import Callable


def until(is_so: Callable[[], bool], seconds: float = 20, pause: float = 0.01) -> None:
    """Return as soon as it is so; fail if that takes longer than so many seconds. Who asks something costly makes a longer pause."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(pause)
