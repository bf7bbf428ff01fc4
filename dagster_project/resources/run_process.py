"""Which process executes a run.

Belongs here: a run's tag that names its process, and whether that process has died: Dagster cannot know, since nothing tells it of a kill
or a power failure. Does not belong here: what becomes of the runs of dead processes (`commands.turns`).
"""

import os
import socket

import psutil
from dagster import DagsterRun

# The UI hides tags of this prefix.
PROCESS_TAG = ".dagster/runmart_process"
_SAME_START_SECONDS = 5.0


def this_process() -> str:
    """Host, number and start of this process: its number alone may be given to another one later."""
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time():.1f}"


def is_orphan(run: DagsterRun) -> bool:
    """Whether the process that a run names has died; of a run that names none nothing is known, so it is none."""
    return PROCESS_TAG in run.tags and has_died(run.tags[PROCESS_TAG])


def has_died(process: str) -> bool:
    """Whether a process of this host has ended; of one on another host nothing is known, so it has not."""
    host, number, started = process.split()
    if host != socket.gethostname():
        return False
    try:
        found = psutil.Process(int(number))
        # A process that was killed stays listed until its parent asks for it.
        return found.status() == psutil.STATUS_ZOMBIE or abs(found.create_time() - float(started)) > _SAME_START_SECONDS
    except psutil.NoSuchProcess:
        return True
