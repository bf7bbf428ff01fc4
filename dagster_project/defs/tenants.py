"""Tenants as partitions: found where they are listed.

Belongs here: the sensor that finds them, and which of them a schedule runs. Does not belong here: what their runs do, which is what those
of other warehouses do.
"""

from collections.abc import Iterator

import dagster as dg

from dagster_project.components.known import known_tenants, partitions_of
from dagster_project.components.schedules import Tenants
from dagster_project.errors import RunmartError
from dagster_project.resources.databases import Databases
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.news import tenants_with_news
from dagster_project.resources.tenant_databases import make_warehouse
from dagster_project.resources.tenants import listed_tenants
from dagster_project.settings import Settings
from dagster_project.warehouse import Namespace

# Making a warehouse takes seconds, and Dagster gives a look a minute.
_MADE_AT_ONCE = 5


def with_news(namespace: Namespace) -> Tenants:
    """Which tenants a sync would find something new of, at the time when it is asked."""

    def tenants(instance: dg.DagsterInstance) -> list[str]:
        system = str(namespace.tenants_of)
        databases, known = Databases(Settings.from_environment()), known_tenants(instance, namespace)
        listed = listed_tenants(databases, system).values()
        return tenants_with_news(databases, system, [tenant for tenant in listed if tenant.is_active and tenant.name in known])

    return tenants


def finding(namespace: Namespace) -> dg.SensorDefinition:
    """Who looks for tenants that nobody knows yet."""
    job = namespace.label("sync_and_refresh")

    @dg.sensor(name=namespace.label("tenants"), job_name=job, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Make the warehouse of each tenant that is new, and run it for the first time."""
        made = list(_made(context, namespace))
        partitions = partitions_of(namespace)
        requests = [partitions.build_add_request(made)] if made and partitions else []
        runs = [dg.RunRequest(partition_key=tenant, run_key=f"first of {tenant}") for tenant in made]
        return dg.SensorResult(run_requests=runs, dynamic_partitions_requests=requests)

    return sensor


def _made(context: dg.SensorEvaluationContext, namespace: Namespace) -> Iterator[str]:
    system, databases = str(namespace.tenants_of), Databases(Settings.from_environment())
    known = {*known_tenants(context.instance, namespace)}
    new = [tenant.name for tenant in listed_tenants(databases, system).values() if tenant.is_active and tenant.name not in known]
    for tenant in new[:_MADE_AT_ONCE]:
        try:
            for line in make_warehouse(databases, system, tenant):
                context.log.warning(line)
        except RunmartError as error:
            # Others are made all the same.
            context.log.warning(str(error))
        else:
            yield tenant


@dg.definitions
def tenants(context: dg.ComponentLoadContext) -> dg.Definitions:
    """The sensor, where there are tenants."""
    namespace = namespace_of(context)
    return dg.Definitions(sensors=[finding(namespace)] if namespace.tenants_of else [])
