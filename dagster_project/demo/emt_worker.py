"""A worker that carries out computations with EMT, each in a process of its own: `python -m dagster_project.demo.emt_worker`.

Belongs here: processes, their time limits and exit codes, and the lines by which a worker is asked and answers. Does not belong here: what
is computed (`emt`). A worker reads requests, a line of JSON each, and answers with one. It has loaded what computations need, and forks:
so a computation costs no start of Python, and what kills one leaves the others alone.
"""

import json
import multiprocessing
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

NOT_CONVERGED = 3

# A process of several threads must not fork, and the order in which threads add up decides the last bits of a sum.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Execution:
    """How a computation went.

    Attributes:
        started_at: When its process started.
        finished_at: When its process had ended.
        exit_code: That of the process: 0, `NOT_CONVERGED`, 1 for an error; negative for the signal that killed it.
        result: What it gave (`emt.Result`, as JSON); None if nothing.
        error: Why it gave nothing; None if it did.
    """

    started_at: datetime
    finished_at: datetime
    exit_code: int
    result: Mapping[str, Any] | None
    error: str | None


class Worker:
    """A worker's process, which ends with the context; it starts with the first request."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None:
            self._process.communicate()

    def execute(self, parameters: Mapping[str, Any], wall_time_limit_seconds: float | None) -> Execution:
        """Carry out a computation; one that is not done within the limit is killed.

        Raises:
            RuntimeError: The worker itself has ended.
        """
        if self._process is None:
            command = [sys.executable, "-m", "dagster_project.demo.emt_worker"]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **_ONE_THREAD})
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        print(json.dumps({"parameters": parameters, "limit": wall_time_limit_seconds}), file=requests, flush=True)
        line = answers.readline()
        if not line:
            raise RuntimeError("the worker for EMT has ended")
        answer = json.loads(line)
        return Execution(
            started_at=datetime.fromisoformat(answer["started_at"]),
            finished_at=datetime.fromisoformat(answer["finished_at"]),
            exit_code=answer["exit_code"],
            result=answer["result"],
            error=answer["error"],
        )


def main() -> None:
    """Answer requests until there are no more."""
    # Once, before all forks.
    import dagster_project.demo.emt  # noqa: F401, PLC0415

    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_executed(request["parameters"], request["limit"])), flush=True)


def _executed(parameters: Mapping[str, Any], limit: float | None) -> dict[str, Any]:
    forking = multiprocessing.get_context("fork")
    receiver, sender = forking.Pipe(duplex=False)
    process = forking.Process(target=_compute, args=(parameters, sender))
    started_at = datetime.now(UTC)
    process.start()
    # The process alone holds the other end now: its death ends the pipe.
    sender.close()
    answer: dict[str, Any] = {"result": None, "error": None}
    if not receiver.poll(limit):
        process.kill()
        answer["error"] = f"killed after its wall time limit of {limit:g} s"
    else:
        try:
            answer.update(receiver.recv())
        except EOFError:
            answer["error"] = "ended without a word"
    process.join()
    return {"started_at": started_at.isoformat(), "finished_at": datetime.now(UTC).isoformat(), "exit_code": process.exitcode, **answer}


def _compute(parameters: Mapping[str, Any], sender: Connection) -> None:
    from dagster_project.demo import emt  # noqa: PLC0415

    try:
        result = emt.compute(parameters)
    except Exception:
        sender.send({"error": traceback.format_exc()})
        sys.exit(1)
    if result.is_converged:
        sender.send({"result": result.as_json()})
    else:
        sender.send({"result": result.as_json(), "error": f"not converged after {parameters['step_limit']} steps"})
        sys.exit(NOT_CONVERGED)


if __name__ == "__main__":
    main()
