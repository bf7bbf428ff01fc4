"""What steps print is in files of theirs, and nobody else hears of it: neither the terminal nor a process that looks after it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
import yaml

from dagster_project.settings import PROJECT_ROOT
from dagster_project.terminal import kept_stderr


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance that keeps what steps print as that of a home does."""
    monkeypatch.setenv("RUNMART_HOME", str(tmp_path))
    declared = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    with dg.instance_for_test(overrides={"compute_logs": declared["compute_logs"]}) as instance:
        yield instance


def test_steps_print_into_files_alone(instance: dg.DagsterInstance, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    beside = []

    @dg.op
    def talkative() -> None:
        os.write(sys.stdout.fileno(), b"to stdout\n")
        os.write(sys.stderr.fileno(), b"to stderr\n")
        beside.extend(psutil.Process().children(recursive=True))
        console.print("progress")

    @dg.job(config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}})
    def talking() -> None:
        talkative()

    before = psutil.Process().children(recursive=True)
    with kept_stderr() as console:
        result = talking.execute_in_process(instance=instance)
    assert capfd.readouterr() == ("", "progress\n")
    assert beside == before
    (captured,) = (event.logs_captured_data for event in result.all_events if event.event_type is dg.DagsterEventType.LOGS_CAPTURED)
    logs = instance.compute_log_manager.get_log_data([result.run_id, "compute_logs", captured.file_key])
    assert (logs.stdout, logs.stderr) == (b"to stdout\n", b"to stderr\n")
    assert instance.compute_log_manager.is_capture_complete([result.run_id, "compute_logs", captured.file_key])
    assert [*tmp_path.rglob("*.out")]
