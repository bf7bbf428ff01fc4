"""Housekeeping: what grows with every run and has to be cut back.

Belongs here: the retention job and its schedule. Does not belong here: data of users (raw, marts and their history are never touched).
"""

import dagster as dg

from dagster_project.components.known import partitions_of, tenant_of
from dagster_project.components.schedules import running
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.run_history import RunHistory
from dagster_project.resources.warehouse import Warehouses
from dagster_project.warehouse import Namespace
from dagster_project.words import counted

_VALIDATION_DAYS = 90

# The last result of a check is what status pages show: it stays, however old.
_EXPIRED = """
delete from quality.validation_results as result
where result.validated_at < now() - make_interval(days => %s) and exists (
    select from quality.validation_results as later
    where later.asset_key = result.asset_key and later.expectation = result.expectation and later.validated_at > result.validated_at
)
"""


def retention(namespace: Namespace) -> dg.JobDefinition:
    """Housekeeping in a warehouse; runs of all of them are looked after with the default one's."""

    @dg.op(name=namespace.label("remove_expired"))
    def remove_expired(context: dg.OpExecutionContext, warehouses: dg.ResourceParam[Warehouses]) -> None:
        """Remove old results of checks."""
        with warehouses.of(namespace, tenant_of(context)).connection(TRANSFORM) as connection, connection.cursor() as cursor:
            cursor.execute(_EXPIRED, (_VALIDATION_DAYS,))
            results = cursor.rowcount
        context.log.info(f"removed {results} results of checks older than {_VALIDATION_DAYS} days")

    @dg.op(name=namespace.label("forget_runs"))
    def forget_runs(context: dg.OpExecutionContext, run_history: dg.ResourceParam[RunHistory]) -> None:
        """Remove old runs, their events and the logs of their steps."""
        context.log.info(f"removed {counted(run_history.forget(context.instance), 'run')}, with their events and logs")

    @dg.job(
        name=namespace.label("retention"),
        description="Remove what only grows: old results of checks, old runs and their events.",
        partitions_def=partitions_of(namespace),
    )
    def job() -> None:
        remove_expired()
        if not namespace.tenants_of:
            forget_runs()

    return job


@dg.definitions
def operations(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Housekeeping, once a day."""
    namespace = namespace_of(context)
    daily = running("daily_retention", "retention", "0 4 * * *", namespace=namespace)
    return dg.Definitions(jobs=[retention(namespace)], schedules=[daily])
