"""Processes that import much, do one thing and end: `runmart`, and the dbt that its runs start.

Belongs here: what makes them begin and end sooner. Does not belong here: what they do.
"""

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ALLOCATIONS_BETWEEN_COLLECTIONS = 100_000


def collect_garbage_rarely() -> None:
    """Look for garbage a hundred times less often, and not at all at the end of the process.

    Hundreds of modules make a million objects, which stay. Python looks through them again and again while they are imported, and once more
    before it ends: of a refresh of 18 s that was 4.
    """
    gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)


@contextmanager
def ended_at_once() -> Iterator[None]:
    """Let the process end as soon as what is within has left it, and all that was registered for its end has been done.

    Python then takes a million objects apart, one by one, which changes nothing: 0.3 s of each command. What is registered first is done
    last, so this has to be entered before anything else is imported.
    """
    code: list[int] = []

    def end() -> None:
        # What cannot be written any more Python tells in its own way.
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            if code:
                os._exit(code[0])

    atexit.register(end)
    try:
        yield
    except SystemExit as left:
        code += _codes(left)
        raise


def _codes(left: SystemExit) -> list[int]:
    """The exit code, unless Python has something to print first."""
    if left.code is None:
        return [0]
    return [left.code & 0xFF] if isinstance(left.code, int) else []
