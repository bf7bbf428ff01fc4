"""What a peer's work cost, without the start of its interpreter and its imports."""

import json
import resource
import time


class Cost:
    """Clocks that start when it is made."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._cpu = _cpu()

    def print(self) -> None:
        """Print wall and CPU seconds since then as one line of JSON."""
        print(json.dumps({"seconds": time.monotonic() - self._started, "cpu_seconds": _cpu() - self._cpu}))


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
