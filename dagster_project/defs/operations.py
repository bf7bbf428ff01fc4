"""Housekeeping: what grows with every run and has to be cut back.

Belongs here: the retention job and its schedule. Does not belong here: data of users (raw, marts and their history are never touched).
"""

import shutil
import time
from pathlib import Path

import dagster as dg

from dagster_project.resources.warehouse import Warehouse
from dagster_project.settings import DBT_PROJECT

_DBT_RUN_DAYS = 7
_VALIDATION_DAYS = 90
_DAY_SECONDS = 86_400

# What dbt writes when it is started by itself; every run from Dagster has a folder of its own beside them.
_SHARED_FOLDERS = {"compiled", "run"}

# The last result of a check is what status pages show: it stays, however old.
_EXPIRED = """
delete from quality.validation_results as result
where result.validated_at < now() - make_interval(days => %s) and exists (
    select from quality.validation_results as later
    where later.asset_key = result.asset_key and later.expectation = result.expectation and later.validated_at > result.validated_at
)
"""


def remove_old_folders(parent: Path, days: float) -> int:
    """Remove the folders of single dbt runs that are older than some days; return how many."""
    oldest = time.time() - days * _DAY_SECONDS
    single = [folder for folder in parent.iterdir() if folder.is_dir() and folder.name not in _SHARED_FOLDERS]
    old = [folder for folder in single if folder.stat().st_mtime < oldest]
    for folder in old:
        shutil.rmtree(folder)
    return len(old)


@dg.op
def remove_expired(context: dg.OpExecutionContext, warehouse: Warehouse) -> None:
    """Remove old results of checks and the files of old dbt runs."""
    with warehouse.connection("runmart_transform") as connection, connection.cursor() as cursor:
        cursor.execute(_EXPIRED, (_VALIDATION_DAYS,))
        results = cursor.rowcount
    folders = remove_old_folders(DBT_PROJECT / "target", _DBT_RUN_DAYS)
    context.log.info(f"removed {results} results of checks older than {_VALIDATION_DAYS} days and the files of {folders} dbt runs")


@dg.job(description="Remove what only grows: old results of checks, files of old dbt runs.")
def retention() -> None:
    """Housekeeping, once a day."""
    remove_expired()


daily_retention = dg.ScheduleDefinition(
    name="daily_retention",
    job=retention,
    cron_schedule="0 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
