"""A further system has its executions in fct_runs by files of its own, with no other file changed."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner

from dagster_project.settings import PROJECT_ROOT, SOURCES_ROOT
from tests import further_system
from tests.integration.marts.conftest import House, messages

FCT_RUNS = "select system_name, execution_id, status, started_on::text from analytics.fct_runs order by 1, 2"
FURTHER = (further_system.SYSTEM, "7", "succeeded", "2025-01-01")


@pytest.fixture
def unspoilt(house: House) -> Iterator[House]:
    """A house whose warehouse is afterwards what it was, because another project refreshes it."""
    house.keep()
    yield house
    house.reset()


def fill(house: House, runs: int) -> None:
    started = datetime(2025, 1, 2, tzinfo=UTC)
    run = {"experiment_id": 1, "run_name": "r", "status": "completed", "start_time": started}
    house.fill(
        {
            "experiments": [{"experiment_id": 1, "experiment_name": "e"}],
            "runs": [{"run_id": number, "run_fingerprint": f"{number:064x}", **run} for number in range(1, runs + 1)],
        }
    )


def test_fct_runs_unites_it_in_full_and_in_part(unspoilt: House, tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    shutil.copytree(SOURCES_ROOT, root / SOURCES_ROOT.relative_to(PROJECT_ROOT))
    project = further_system.copy_project(root / "dbt_project")
    there = House(unspoilt.source_urls, unspoilt.warehouse_url, unspoilt.server_url, tmp_path / "dbt", root)
    fill(there, runs=1)
    further_system.bring_executions(project)
    folders = ["--project-dir", str(project), "--profiles-dir", str(project), "--log-path", str(tmp_path)]
    with there.connecting():
        refused = dbtRunner().invoke(["build", *folders, "--target-path", str(there.work / "target"), "--select", "+fct_runs"])
    said = f"was parsed before there was a macro {further_system.SYSTEM}__executions: run `dbt parse --no-partial-parse`"
    assert said in messages(refused)
    there.parse("--no-partial-parse")
    there.build()
    assert there.warehouse(FCT_RUNS) == [("forecast_tracking", "1", "succeeded", "2025-01-02"), FURTHER]
    fill(there, runs=2)
    there.build()
    own = [("forecast_tracking", str(number), "succeeded", "2025-01-02") for number in (1, 2)]
    assert there.warehouse(FCT_RUNS) == [*own, FURTHER]
    assert there.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)]
