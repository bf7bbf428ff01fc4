"""Commands beside a running `runmart up`: they run in the warm process, and what a source changes is published without a command."""

import json
import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from dagster_project.settings import PROJECT_ROOT
from dagster_project.warm.messages import SOCKET
from tests.databases import run
from tests.e2e.shell import DEADLINE_SECONDS, SYSTEM, Up, User, locked, says, started, up
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("filled")


@pytest.fixture(scope="module")
def filled(user: User) -> None:
    """A source with a backtest."""
    user.gets(f"runmart import {shlex.quote(str(user.file))} --experiment shop --json")
    user.gets("runmart migrate")


@contextmanager
def warm_up(user: User, *arguments: str) -> Iterator[tuple[Up, psutil.Process]]:
    """A running `runmart up` whose warm process is warm, and that process."""
    with up(user, *arguments) as running:
        running.says("Dagster UI")
        until((user.home / SOCKET).exists, DEADLINE_SECONDS)
        family = psutil.Process(running.process.pid).children(recursive=True)
        (warm,) = (member for member in family if "dagster_project.warm_process" in member.cmdline())
        yield running, warm


def runs(user: User) -> list[str]:
    """Jobs of all runs, the first first."""
    dagster = user.gets("runmart url warehouse").strip().replace("/warehouse?", "/dagster?")
    return [job for (job,) in run(dagster, "select pipeline_name from runs order by id")]


def commands_of(warm: psutil.Process) -> list[psutil.Process]:
    """Forks of a warm process."""
    return [child for child in warm.children() if child.cmdline() == warm.cmdline()]


@pytest.fixture(scope="class")
def warm(user: User) -> Iterator[psutil.Process]:
    """The warm process of a `runmart up` that all tests of a class share."""
    with warm_up(user) as (running, warm):
        yield warm
        assert running.process.poll() is None


class TestBesideUp:
    def test_commands_run_in_the_warm_process_and_so_does_their_dbt(self, user: User, warm: psutil.Process) -> None:
        with started(user, "sync", SYSTEM) as command:
            with locked(user, "runs"):
                says(command, "reading")
                (forked,) = commands_of(warm)
                assert os.getpgid(forked.pid) == forked.pid
            says(command, f"synced {SYSTEM}")
            assert command.wait(DEADLINE_SECONDS) == 0
        assert commands_of(warm) == []
        with started(user, "refresh") as command:
            # The run, and its dbt.
            until(lambda: len(commands_of(warm)) == 2, DEADLINE_SECONDS)
            says(command, "published refresh 1")
            assert command.wait(DEADLINE_SECONDS) == 0

    def test_interrupt_reaches_a_warm_command(self, user: User, warm: psutil.Process) -> None:
        with locked(user, "runs"), started(user, "sync", SYSTEM) as command:
            says(command, "reading")
            command.send_signal(signal.SIGINT)
            assert "the run was interrupted" in says(command, "error:")
            assert command.wait(DEADLINE_SECONDS) == 1
        until(lambda: commands_of(warm) == [], DEADLINE_SECONDS)

    def test_sync_and_refresh_are_one_run(self, user: User, warm: psutil.Process) -> None:
        run(user.gets(f"runmart url {SYSTEM}").strip(), "update experiments set experiment_name = 'one run'")
        before = runs(user)
        (report,) = user.gets_json("runmart sync --refresh --json")
        assert runs(user) == [*before, "sync_and_refresh"]
        assert (report["job"], report["is_success"]) == ("sync_and_refresh", True)
        assert user.queries("analyst", "select experiment_name from analytics.experiment_summary") == ["one run"]
        assert commands_of(warm) == []

    def test_changed_project_makes_the_warm_process_begin_anew(self, user: User, warm: psutil.Process) -> None:
        file = PROJECT_ROOT / "dagster.yaml"
        before = file.stat()
        socket = (user.home / SOCKET).stat().st_ino
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        try:
            assert SYSTEM in {system["system"] for system in user.gets_json("runmart status --json")}
            until(lambda: (user.home / SOCKET).exists() and (user.home / SOCKET).stat().st_ino != socket, DEADLINE_SECONDS)
            assert warm.is_running()
        finally:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_watch_publishes_changes_and_records_nothing_while_there_are_none(user: User) -> None:
    with warm_up(user, "--watch", "0.2") as (running, _):
        # The server has been started anew, so tables are compared.
        running.says("is published")
        source = user.gets(f"runmart url {SYSTEM}").strip()
        warehouse = user.gets("runmart url warehouse").strip()
        before = runs(user)

        def looks() -> int:
            ((number,),) = run(warehouse, "select sessions from pg_stat_database where datname = %s", SYSTEM)
            return int(number)

        first = looks()
        until(lambda: looks() >= first + 5, DEADLINE_SECONDS, pause=0.2)
        assert runs(user) == before

        run(source, "update experiments set experiment_name = 'watched'")
        running.says("is published")
        assert user.queries("analyst", "select experiment_name from analytics.experiment_summary") == ["watched"]
        assert runs(user) == [*before, "sync_and_refresh"]

        allow = f"alter database {SYSTEM} allow_connections"
        run(warehouse, f"{allow} false")
        running.says("looking on")
        run(warehouse, f"{allow} true")
        running.says("can be asked again")
        assert running.process.poll() is None
        run(source, "update experiments set experiment_name = 'back'")
        running.says("is published")
        assert user.queries("analyst", "select experiment_name from analytics.experiment_summary") == ["back"]
    log = (user.home / "logs" / "watch.log").read_text(encoding="utf-8")
    reports = json.JSONDecoder()
    assert reports.raw_decode(log[log.index("[") :])[0][0]["is_success"]


def test_seconds_without_watch_are_refused(user: User) -> None:
    done = user.types("runmart up 5")
    assert (done.returncode, done.stderr) == (1, "error: 5 says how long to wait between two looks: runmart up --watch 5\n")
