"""One source database filled with the whole workload, shared by the tests of this folder, which only read it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine

from dagster_project.demo.forecast_tracking import FillSummary, fill
from dagster_project.postgres.urls import sqlalchemy_url
from dagster_project.resources.embedded import EmbeddedServer
from migrations.run import upgrade


@dataclass(frozen=True)
class Filled:
    """A filled database and what `fill` said of it."""

    url: str
    home: Path
    summary: FillSummary
    lines: tuple[str, ...]

    def query(self, statement: str) -> pd.DataFrame:
        """Rows of a query."""
        return query(self.url, statement)


def query(url: str, statement: str) -> pd.DataFrame:
    engine = create_engine(sqlalchemy_url(url))
    try:
        return pd.read_sql(statement, engine)
    finally:
        engine.dispose()


@pytest.fixture(scope="session")
def filled(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """The whole workload."""
    server.ensure_database("filled_forecast_tracking")
    url = server.url("filled_forecast_tracking")
    upgrade("forecast_tracking", url)
    home = tmp_path_factory.mktemp("home")
    lines: list[str] = []
    return Filled(url, home, fill(url, home, lines.append), tuple(lines))


@pytest.fixture
def copy_of_filled(server: EmbeddedServer, filled: Filled) -> Iterator[Filled]:
    """A copy of the filled database that a test may change."""
    admin = create_engine(sqlalchemy_url(server.url("postgres")), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("create database copied_forecast_tracking template filled_forecast_tracking")
        yield Filled(server.url("copied_forecast_tracking"), filled.home, filled.summary, filled.lines)
        connection.exec_driver_sql("drop database copied_forecast_tracking with (force)")
    admin.dispose()
