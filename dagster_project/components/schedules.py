"""Schedules as all of Runmart's are: in UTC, and running from the start.

Belongs here: nothing but this. Does not belong here: when things run (`defs`).
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg


def running(name: str, job: str, cron: str, run_config: Mapping[str, Any] | None = None) -> dg.ScheduleDefinition:
    """A schedule of a job.

    Args:
        name: Name of the schedule.
        job: Name of the job.
        cron: When it runs, in UTC.
        run_config: Configuration of its runs, where the job's own is not to be used.
    """
    return dg.ScheduleDefinition(
        name=name,
        job_name=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        run_config=run_config,
    )
