"""Assembly: what Dagster loads.

Belongs here: putting `defs/` together, for which warehouses, and the policies that hold for all of it. Does not belong here: any asset,
check or job.
"""

import dagster as dg

from dagster_project.internals.dagster import let_verdicts_stand
from dagster_project.resources.defs_tree import DefsTree
from dagster_project.resources.share import namespaces
from dagster_project.warehouse import Namespace


@dg.definitions
def defs() -> dg.Definitions:
    """What there is: the shared warehouse, and those of tenants."""
    return definitions_of(*namespaces())


def definitions_of(*warehouses: Namespace) -> dg.Definitions:
    """Everything under `defs/`, for each warehouse. Runs execute in one process: on a small machine, starting processes costs more."""
    let_verdicts_stand()
    first, *others = (DefsTree.of(warehouse).definitions() for warehouse in warehouses)
    return dg.Definitions.merge(first, *(_added(first, other) for other in others), dg.Definitions(executor=dg.in_process_executor))


def _added(first: dg.Definitions, other: dg.Definitions) -> dg.Definitions:
    """What a further warehouse brings: resources, and sensors that look at everything, are there already."""
    return dg.Definitions(
        assets=other.assets,
        asset_checks=other.asset_checks,
        jobs=other.jobs,
        schedules=other.schedules,
        sensors=[sensor for sensor in other.sensors or () if sensor not in (first.sensors or ())],
    )
