"""A run waits for the runs before it as long as they live, and no longer."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator

import dagster as dg
import psutil
import pytest

from dagster_project.commands.turns import wait_for_turn
from dagster_project.resources.run_process import PROCESS_TAG, has_died, this_process

POOL = "sync_shop"
DEADLINE_SECONDS = 60.0


@dg.op(pool=POOL)
def read() -> None:
    """Stands for a sync."""


@dg.job
def reading() -> None:
    read()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        instance.event_log_storage.set_concurrency_slots(POOL, 1)
        yield instance


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until somebody ends it."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def name_of(process: subprocess.Popen[bytes]) -> str:
    host, _, _ = this_process().split()
    return f"{host} {process.pid} {psutil.Process(process.pid).create_time()}"


def claim(instance: dg.DagsterInstance, process: str) -> dg.DagsterRun:
    """A run of a process that is in the pool."""
    run = instance.create_run_for_job(reading, tags={PROCESS_TAG: process}, status=dg.DagsterRunStatus.STARTED)
    assert instance.event_log_storage.claim_concurrency_slot(POOL, run.run_id, "read").is_claimed
    return run


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_run_of_a_dead_process_is_ended_and_holds_nobody_up(instance: dg.DagsterInstance, sleeper: subprocess.Popen[bytes]) -> None:
    run = claim(instance, name_of(sleeper))
    waiting = instance.create_run_for_job(reading, tags={PROCESS_TAG: name_of(sleeper)}, status=dg.DagsterRunStatus.STARTED)
    assert not instance.event_log_storage.claim_concurrency_slot(POOL, waiting.run_id, "read").is_claimed
    sleeper.kill()
    sleeper.wait()
    said: list[str] = []
    wait_for_turn(reading, instance, said.append)
    assert said == []
    assert [status(instance, one) for one in (run, waiting)] == [dg.DagsterRunStatus.FAILURE] * 2
    assert reading.execute_in_process(instance=instance).success


def test_living_run_is_waited_for_and_named_once(instance: dg.DagsterInstance, sleeper: subprocess.Popen[bytes]) -> None:
    run = claim(instance, name_of(sleeper))
    said: queue.Queue[str] = queue.Queue()
    turn = threading.Thread(target=wait_for_turn, args=(reading, instance, said.put))
    turn.start()
    assert f"waiting for run {run.run_id} of reading to end" in said.get(timeout=DEADLINE_SECONDS)
    assert status(instance, run) is dg.DagsterRunStatus.STARTED
    instance.report_run_canceled(run)
    turn.join(DEADLINE_SECONDS)
    assert not turn.is_alive()
    assert said.empty()


def test_job_without_a_pool_waits_for_nobody(instance: dg.DagsterInstance, sleeper: subprocess.Popen[bytes]) -> None:
    @dg.op
    def look() -> None:
        pass

    @dg.job
    def looking() -> None:
        look()

    run = claim(instance, name_of(sleeper))
    wait_for_turn(looking, instance, pytest.fail)
    assert status(instance, run) is dg.DagsterRunStatus.STARTED


def test_killed_process_has_died_before_its_parent_asks_for_it(sleeper: subprocess.Popen[bytes]) -> None:
    name = name_of(sleeper)
    assert not has_died(name)
    sleeper.kill()
    # Waits for the end without taking the process off the list.
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert has_died(name)


def test_process_is_known_by_host_number_and_start() -> None:
    host, number, started = this_process().split()
    assert not has_died(this_process())
    assert has_died(f"{host} {number} {float(started) - 60}")
    assert not has_died(f"not-{host} {number} {float(started) - 60}")
