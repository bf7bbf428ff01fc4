"""What must not be built upon, in words; and whose verdict is waited for. The runs are real, of an asset that takes its place."""

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dagster as dg
import psutil
import pytest

from dagster_project.components.known import Known
from dagster_project.defs.soundness import Soundness, soundness, soundness_once_checked
from dagster_project.quality import accounting
from dagster_project.quality.suites import Severity, load_suites
from dagster_project.resources.run_process import PROCESS_TAG, this_process

KEY = dg.AssetKey(["forecast_tracking", "tags"])
CRITICAL = [
    expectation.meta.check
    for expectation in load_suites()["forecast_tracking.tags"].expectations
    if expectation.severity is Severity.CRITICAL
]
# The last one says whether rows that fail the others are set aside.
CHECKS = [*CRITICAL, accounting.CHECK]
DEADLINE_SECONDS = 60.0


@dg.asset(key=KEY)
def table() -> None:
    """Stands for a raw table."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    # What is printed belongs to the process: two runs in one would each wait half a minute for the end of the other's log.
    nowhere = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    with dg.instance_for_test(overrides={"compute_logs": nowhere}) as instance:
        yield instance


@dataclass
class CheckingRun:
    """A run that has materialized the table, and checks it when it is let go on.

    Attributes:
        run_id: Identity of the run.
        is_passing: What its checks will find.
        may_check: Set to let it go on.
    """

    run_id: str = ""
    is_passing: bool = True
    may_check: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def checking(instance: dg.DagsterInstance) -> Iterator[Callable[..., CheckingRun]]:
    """Starts such a run, in a thread; it has ended after the test."""
    threads: list[tuple[CheckingRun, threading.Thread]] = []

    def start(process: str | None = None) -> CheckingRun:
        run, started = CheckingRun(), queue.Queue[str]()

        @dg.multi_asset_check(specs=[dg.AssetCheckSpec(name, asset=KEY) for name in CHECKS])
        def checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
            started.put(context.op_execution_context.run_id)
            run.may_check.wait(DEADLINE_SECONDS)
            yield from (dg.AssetCheckResult(asset_key=KEY, check_name=name, passed=run.is_passing) for name in CHECKS)

        tags = {PROCESS_TAG: process} if process else {}
        thread = threading.Thread(target=dg.materialize, args=([table, checks],), kwargs={"instance": instance, "tags": tags})
        thread.start()
        threads.append((run, thread))
        run.run_id = started.get(timeout=DEADLINE_SECONDS)
        return run

    yield start
    for run, thread in threads:
        run.may_check.set()
        thread.join(DEADLINE_SECONDS)


def once_ended(by_id: Callable[[str], dg.DagsterRun | None], run_id: str) -> dg.DagsterRun:
    """The run, when it has ended."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (run := by_id(run_id)) or not run.is_finished:
        assert time.monotonic() < deadline
    return run


@pytest.mark.parametrize("is_passing", [True, False])
def test_what_another_run_is_about_to_check_waits_for_its_verdict(
    instance: dg.DagsterInstance, checking: Callable[..., CheckingRun], *, is_passing: bool
) -> None:
    run = checking()
    said: queue.Queue[str] = queue.Queue()
    answers: queue.Queue[Soundness] = queue.Queue()

    def ask() -> None:
        answers.put(soundness_once_checked(Known(instance), [KEY], "the run that asks", said.put))

    asking = threading.Thread(target=ask)
    asking.start()
    assert said.get(timeout=DEADLINE_SECONDS) == f"waiting for run {run.run_id}, which has materialized what is read here, to check it"
    assert answers.empty()
    run.is_passing = is_passing
    run.may_check.set()
    bad = [f"forecast_tracking/tags fails {accounting.CHECK}"]
    assert answers.get(timeout=DEADLINE_SECONDS).complaints() == ([] if is_passing else bad)
    asking.join(DEADLINE_SECONDS)
    assert said.empty()
    once_ended(instance.get_run_by_id, run.run_id)
    assert soundness(Known(instance), [KEY]).complaints() == ([] if is_passing else bad)


def test_run_that_ends_while_it_is_asked_about_has_checked(
    instance: dg.DagsterInstance, checking: Callable[..., CheckingRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = checking()
    by_id = instance.get_run_by_id

    def ended(run_id: str) -> dg.DagsterRun:
        run.may_check.set()
        return once_ended(by_id, run_id)

    monkeypatch.setattr(instance, "get_run_by_id", ended)
    assert soundness_once_checked(Known(instance), [KEY], "the run that asks", pytest.fail).complaints() == []


def test_nobody_waits_for_himself_or_for_the_dead(instance: dg.DagsterInstance, checking: Callable[..., CheckingRun]) -> None:
    unchecked = ["not checked since last materialized: forecast_tracking/tags; `runmart check` runs the checks"]
    own = checking()
    assert soundness_once_checked(Known(instance), [KEY], own.run_id, pytest.fail).complaints() == unchecked
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        host, _, _ = this_process().split()
        name = f"{host} {process.pid} {psutil.Process(process.pid).create_time()}"
        process.kill()
    checking(process=name)
    assert soundness_once_checked(Known(instance), [KEY], "the run that asks", pytest.fail).complaints() == unchecked


def test_run_that_has_ended_without_checking_is_not_waited_for(instance: dg.DagsterInstance) -> None:
    assert dg.materialize([table], instance=instance).success
    found = soundness_once_checked(Known(instance), [KEY], "the run that asks", pytest.fail)
    assert found.complaints() == ["not checked since last materialized: forecast_tracking/tags; `runmart check` runs the checks"]


def test_complaint_names_the_first_assets_and_counts_the_others(instance: dg.DagsterInstance) -> None:
    keys = [dg.AssetKey(suite.asset_key) for suite in load_suites().values() if suite.system == "forecast_tracking"]
    named = ", ".join(key.to_user_string() for key in sorted(keys)[:3])
    assert soundness(Known(instance), keys).complaints() == [
        f"never materialized: {named} and {len(keys) - 3} more; `runmart sync` reads raw tables"
    ]


def test_assets_without_blocking_checks_are_sound(instance: dg.DagsterInstance) -> None:
    assert soundness(Known(instance), [dg.AssetKey(["staging", "stg_forecast_tracking__runs"])]).complaints() == []
