"""A dbt that is started ahead of its run does the run's work, and is gone afterwards."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil

from dagster_project.commands.ahead import dbt_ahead
from dagster_project.places import DBT_AHEAD_VARIABLE
from dagster_project.resources.databases import Databases
from dagster_project.resources.dbt_environment import dbt_environment
from dagster_project.resources.manifest import DBT_EXECUTABLE
from dagster_project.settings import DBT_PROJECT, Settings
from dagster_project.warm.messages import SOCKET
from tests.waiting import until

DEADLINE_SECONDS = 120.0


def helpers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "dagster_project.dbt_process" in child.cmdline()]


def test_dbt_of_a_run_is_the_one_that_was_started_ahead(new_database: Callable[[str], str], tmp_path: Path) -> None:
    databases = Databases(Settings(tmp_path / "home", new_database("warehouse")))
    with dbt_ahead(databases):
        folder = Path(os.environ[DBT_AHEAD_VARIABLE])
        (helper,) = helpers()
        until((folder / SOCKET).exists, DEADLINE_SECONDS)
        folders = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", str(tmp_path / "target")]
        environment = {**os.environ, **dbt_environment(databases.warehouse())}
        with subprocess.Popen([DBT_EXECUTABLE, "parse", *folders], env=environment, stdout=subprocess.DEVNULL) as dbt:
            until(lambda: any(child.cmdline() == helper.cmdline() for child in helper.children()), DEADLINE_SECONDS)
            assert dbt.wait(DEADLINE_SECONDS) == 0
        assert (tmp_path / "target" / "manifest.json").exists()
    assert helpers() == []
    assert not folder.exists()
    assert DBT_AHEAD_VARIABLE not in os.environ


def test_nothing_is_started_beside_a_warm_process(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / SOCKET).touch()
    with dbt_ahead(Databases(Settings(home, "postgresql:///none"))):
        assert helpers() == []
        assert DBT_AHEAD_VARIABLE not in os.environ
