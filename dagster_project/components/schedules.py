"""Schedules as all of Runmart's are: in UTC, and running from the start.

Belongs here: a run at a time, of each tenant where there are tenants. Does not belong here: when things run (`defs`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from dagster_project.components.known import known_tenants
from dagster_project.internals.dagster import PARTITION_TAG
from dagster_project.warehouse import DEFAULT, Namespace

Tenants = Callable[[dg.DagsterInstance], Iterable[str]]


def running(
    name: str,
    job: str,
    cron: str,
    *,
    run_config: Mapping[str, Any] | None = None,
    namespace: Namespace = DEFAULT,
    tenants: Tenants | None = None,
) -> dg.ScheduleDefinition:
    """A schedule of a job.

    Args:
        name: Name of the schedule.
        job: Name of the job.
        cron: When it runs, in UTC.
        run_config: Configuration of its runs, where the job's own is not to be used.
        namespace: The warehouse that both names are of; those of tenants have a run each.
        tenants: Which tenants have one, where not all that are known.
    """

    def runs(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        if not namespace.tenants_of:
            yield dg.RunRequest(run_config=run_config)
            return
        for tenant in tenants(context.instance) if tenants else known_tenants(context.instance, namespace):
            # By the tag alone: Dagster looks for the partitions of a job among its assets, and a job of checks has none.
            yield dg.RunRequest(run_key=tenant, tags={PARTITION_TAG: tenant}, run_config=run_config)

    return dg.ScheduleDefinition(
        name=namespace.label(name),
        job_name=namespace.label(job),
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        execution_fn=runs,
    )
