"""Quantities in words, the same ones wherever a person reads them.

Belongs here: numbers to short texts. Does not belong here: sentences around them.
"""

_DURATIONS = (("d", 86400), ("h", 3600), ("min", 60))
_SIZES = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def counted(number: int, thing: str) -> str:
    """A number of things, such as `1 row` and `1,000 rows`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def duration(seconds: float) -> str:
    """Full units of the largest unit of which there are at least two, such as `119 s` and `2 min`."""
    for unit, size in _DURATIONS:
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def size(number_of_bytes: int) -> str:
    """One decimal of the largest decimal unit that fits, such as `1.2 GB`; bytes as they are."""
    for unit, factor in _SIZES:
        if number_of_bytes >= factor:
            return f"{number_of_bytes / factor:,.1f} {unit}"
    return f"{number_of_bytes} bytes"
