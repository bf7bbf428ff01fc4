"""Waiting for what another process is about to do.

Belongs here: nothing but this.
"""

import time
from collections.abc import Callable


def until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Return as soon as it is so; fail if that takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)
