"""What a benchmark ran on.

Belongs here: facts that a reader needs to judge figures by. Does not belong here: the figures.
"""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil


def facts(postgresql: str) -> dict[str, str | int]:
    """Facts by name, beside a version of PostgreSQL; to be taken before the work begins, which loads the machine itself."""
    models = [line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": os.cpu_count() or 0,
        "processor": models[0] if models else platform.machine(),
        "memory": round(psutil.virtual_memory().total / 2**30),
        "postgresql": postgresql,
        "python": platform.python_version(),
        "date": datetime.now(tz=UTC).date().isoformat(),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }
