"""The `runmart` command in this process: without the seconds that a process of its own takes to import everything.

Belongs here: calling it on a home, and how it ended. Does not belong here: what is expected of a command, and users at a shell (`shell`).
"""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from dagster_project import cli
from dagster_project.resources.embedded import EmbeddedServer


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines that say what is wrong."""
        return [line for line in self.err.splitlines() if line.startswith("error: ")]

    @property
    def line(self) -> str:
        """The one line that says what is wrong."""
        errors = self.lines
        assert self.code == 1, self.err
        assert len(errors) == 1, self.err
        assert "Traceback" not in self.err + self.out
        return errors[0]


Run = Callable[..., Outcome]


@contextmanager
def runmart_on(home: Path) -> Iterator[Run]:
    """`run("sync", RUNMART_…="…")` is the command on a home, whose server ends afterwards; the environment is as before then."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("RUNMART_")]:
        del os.environ[name]

    def run(*arguments: str, **environment: str) -> Outcome:
        os.environ.update({"RUNMART_HOME": str(home), **environment})
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            patch.setattr(sys, "argv", ["runmart", *arguments])
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return Outcome(code, out.getvalue(), err.getvalue())

    try:
        yield run
    finally:
        EmbeddedServer(home / "postgres").stop()
        os.environ.clear()
        os.environ.update(before)
