"""Housekeeping: what grows with every run and has to be cut back.

Belongs here: the retention job and its schedule. Does not belong here: data of users (raw, marts and their history are never touched).
"""

import dagster as dg

from dagster_project.postgres.roles import TRANSFORM
from dagster_project.resources.warehouse import Warehouse

_VALIDATION_DAYS = 90

# The last result of a check is what status pages show: it stays, however old.
_EXPIRED = """
delete from quality.validation_results as result
where result.validated_at < now() - make_interval(days => %s) and exists (
    select from quality.validation_results as later
    where later.asset_key = result.asset_key and later.expectation = result.expectation and later.validated_at > result.validated_at
)
"""


@dg.op
def remove_expired(context: dg.OpExecutionContext, warehouse: Warehouse) -> None:
    """Remove old results of checks."""
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        cursor.execute(_EXPIRED, (_VALIDATION_DAYS,))
        results = cursor.rowcount
    context.log.info(f"removed {results} results of checks older than {_VALIDATION_DAYS} days")


@dg.job(description="Remove what only grows: old results of checks.")
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
