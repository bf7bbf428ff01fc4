"""Processes that import much, do one thing and end: `runmart`, and the dbt that its runs start.

Belongs here: what makes them begin and end sooner. Does not belong here: what they do.
"""

import atexit
import gc

_ALLOCATIONS_BETWEEN_COLLECTIONS = 100_000


def collect_garbage_rarely() -> None:
    """Look for garbage a hundred times less often, and not at all at the end of the process.

    Hundreds of modules make a million objects, which stay. Python looks through them again and again while they are imported, and once more
    before it ends: of a refresh of 18 s that was 4.
    """
    gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)
