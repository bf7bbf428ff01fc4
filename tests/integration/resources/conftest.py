"""A Dagster instance on PostgreSQL, as a home has one.

Belongs here: what tests of resources share.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.postgres.urls import sqlalchemy_url


@pytest.fixture
def dagster_url(new_database: Callable[[str], str]) -> str:
    """Its database."""
    return new_database("empty")


@pytest.fixture
def instance(dagster_url: str, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Logs of its steps are in the folder `logs`."""
    storage = {"postgres": {"postgres_url": sqlalchemy_url(dagster_url)}}
    logs = {"module": "dagster.core.storage.local_compute_log_manager", "class": "LocalComputeLogManager"}
    overrides = {"storage": storage, "compute_logs": {**logs, "config": {"base_dir": str(tmp_path / "logs")}}}
    with dg.instance_for_test(overrides=overrides) as instance:
        yield instance
