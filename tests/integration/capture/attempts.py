"""One sync in a child process, watched, judged and if wished killed.

Belongs here: forking a warm process, so that a sync costs no import; taking down what the source holds at the sync's own snapshot; ending
the child at a named stage or at any moment. Does not belong here: whether that is a good result (`judge`).
"""

import json
import os
import select
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, NoReturn

from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.sync import SyncResult
from tests.integration.capture.oracle import exported

Work = Callable[[Callable[[SyncEvent], None]], object]


class Ending(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    FAILED = "failed"
    KILLED = "killed"


@dataclass(frozen=True)
class KillPoint:
    """A stage at which a sync kills itself: the n-th time that it comes."""

    stage: Stage
    occurrence: int = 1


@dataclass
class Attempt:
    """What was seen of one sync.

    Attributes:
        ending: How it ended.
        error: What it said when it failed.
        stages: The stages that it told of, in their order.
        standing: The tables that it left at their last snapshot, if it is done.
    """

    ending: Ending = Ending.KILLED
    error: str = ""
    stages: list[Stage] = field(default_factory=list)
    standing: tuple[str, ...] = ()


def kill(process: int) -> None:
    """End a process at once."""
    os.kill(process, signal.SIGKILL)


def attempt(
    work: Work,
    on_snapshot: Callable[[str], None] = lambda _: None,
    kill_at: KillPoint | None = None,
    disturb_after: float | None = None,
    disturb: Callable[[int], None] = kill,
) -> Attempt:
    """Run one sync in a child.

    Args:
        work: The sync; gets the callback that it tells its events to.
        on_snapshot: Called with the exported snapshot that the sync reads, while the sync waits.
        kill_at: Where the child kills itself.
        disturb_after: Seconds after which it is disturbed, whatever it does then.
        disturb: What is done then; gets the child's process id.
    """
    reading, telling = os.pipe()
    waiting, answering = os.pipe()
    child = os.fork()
    if child == 0:
        _work(work, kill_at, os.fdopen(telling, "wb", 0), os.fdopen(waiting, "rb", 0))
    os.close(telling)
    os.close(waiting)
    seen = Attempt()
    deadline = None if disturb_after is None else time.monotonic() + disturb_after
    with os.fdopen(reading, "rb", 0) as told, os.fdopen(answering, "wb", 0) as answers:
        while True:
            if deadline is not None and not select.select([told], [], [], max(0.0, deadline - time.monotonic()))[0]:
                deadline = None
                disturb(child)
            line = told.readline().decode()
            if not line:
                break
            _take_down(line.rstrip(), seen, on_snapshot, answers)
    os.waitpid(child, 0)
    return seen


def _take_down(line: str, seen: Attempt, on_snapshot: Callable[[str], None], answers: BinaryIO) -> None:
    kind, _, value = line.partition(" ")
    if kind == "stage":
        seen.stages.append(Stage(value))
    elif kind == "snapshot":
        on_snapshot(value)
        with suppress(BrokenPipeError):
            answers.write(b"\n")
    elif kind == Ending.DONE:
        seen.ending, seen.standing = Ending.DONE, tuple(json.loads(value))
    else:
        seen.ending, seen.error = Ending(kind), value


def _work(work: Work, kill_at: KillPoint | None, told: BinaryIO, answers: BinaryIO) -> NoReturn:
    """The child's life; it ends without the parent's clean-up, whose connections it would close."""
    seen: Counter[Stage] = Counter()

    def tell(event: SyncEvent) -> None:
        seen[event.stage] += 1
        told.write(f"stage {event.stage}\n".encode())
        if event.source is not None:
            told.write(f"snapshot {exported(event.source)}\n".encode())
            answers.readline()
        if kill_at == KillPoint(event.stage, seen[event.stage]):
            kill(os.getpid())

    try:
        result = work(tell)
        standing = [one.table for one in result.standing] if isinstance(result, SyncResult) else []
        told.write(f"done {json.dumps(standing)}\n".encode())
    except BaseException as error:
        # Whatever it was: the parent shall hear of it, and nothing of the parent's may run on here.
        told.write(f"failed {type(error).__name__}: {' '.join(str(error).split())}\n".encode())
    finally:
        os._exit(0)
