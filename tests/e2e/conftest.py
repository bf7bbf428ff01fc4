"""The whole platform on databases of its own: a small real workload, synced, refreshed, checked and published once for all tests.

Belongs here: the environment, as a user with databases of his own would set it. Does not belong here: what is expected of it.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dagster import DagsterInstance

from dagster_project.commands.runs import RunReport, run_job
from dagster_project.commands.setup import migrate
from dagster_project.contracts.loading import shared_contracts
from dagster_project.demo.forecast_tracking import fill
from dagster_project.resources.databases import WAREHOUSE, Databases
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.resources.instance import open_instance
from dagster_project.settings import Settings, url_variable
from tests.databases import run
from tests.e2e.shell import User
from tests.tables import make_tables

SYSTEM = "forecast_tracking"


@dataclass
class Platform:
    """A running platform.

    Attributes:
        databases: Where everything is.
        instance: Where its runs are recorded.
        first: Report of the first full run.
    """

    databases: Databases
    instance: DagsterInstance
    first: RunReport | None = None

    def run(self, job: str, config: Mapping[str, Any] | None = None) -> RunReport:
        """Run a job to its end."""
        return run_job(job, self.instance, config=config)

    def source(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement at the source, committed."""
        return run(self.databases.url(SYSTEM), statement)

    def warehouse(self, statement: str, user: str | None = None) -> list[tuple[Any, ...]]:
        """Run a statement in the warehouse, committed."""
        return run(self.databases.url(WAREHOUSE, user), statement)


@pytest.fixture(scope="session")
def platform(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform after its first full run."""
    home = tmp_path_factory.mktemp("home")
    systems = sorted(shared_contracts())
    urls = {name: server.url(f"e2e_{name}") for name in ("warehouse", "dagster", *systems)}
    for name in urls:
        server.ensure_database(f"e2e_{name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNMART_HOME", str(home))
        patch.setenv("RUNMART_WAREHOUSE_URL", urls["warehouse"])
        patch.setenv("RUNMART_DAGSTER_URL", urls["dagster"])
        for system in systems:
            patch.setenv(url_variable(system), urls[system])
        databases = Databases(Settings.from_environment())
        migrate(databases)
        for system in systems:
            make_tables(system, urls[system])
        fill(urls[SYSTEM], Path(home), lambda _: None, series=["nile", "real_gdp"], methods=["SeasonalNaive", "AutoReg"])
        with open_instance(databases) as instance:
            platform = Platform(databases, instance)
            platform.first = platform.run("sync_and_refresh")
            yield platform


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user with a fresh home and a backtest of two series, two cutoffs and two models."""
    folder = tmp_path_factory.mktemp("user")
    rows = [
        {"unique_id": series, "ds": cutoff + pd.DateOffset(months=step), "cutoff": cutoff, "y": 10.0 * number + step}
        for number, series in enumerate(("north", "south"), start=1)
        for cutoff in pd.to_datetime(["2024-01-01", "2024-04-01"])
        for step in (1, 2, 3)
    ]
    frame = pd.DataFrame(rows)
    frame["Guess"] = frame["y"] + np.arange(len(frame)) % 3
    frame["SeasonalNaive"] = frame["y"] - 4.0
    frame["Guess-hi-90"] = frame["Guess"] + 5.0
    frame["Guess-lo-90"] = frame["Guess"] - 5.0
    frame.to_csv(folder / "backtest.csv", index=False)
    user = User(folder / "home", folder / "backtest.csv", frame)
    yield user
    user.types("runmart down")
    shutil.rmtree(user.home, ignore_errors=True)
