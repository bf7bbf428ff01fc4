"""Upkeep of the source databases that Runmart builds, as one job.

Belongs here: the job, its schedule, and which databases it is for. Does not belong here: what is done (`upkeep`), and by which declaration
(the contracts).
"""

import dagster as dg
from psycopg2.errors import LockNotAvailable

from dagster_project.components.schedules import running
from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import shared_contracts
from dagster_project.resources.databases import Databases
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.warehouse import Sources
from dagster_project.settings import Settings, has_migrations
from dagster_project.upkeep import keep_up
from dagster_project.warehouse import DEFAULT

# Two minutes in all, in which a sync that reads the tables ends.
_MAX_RETRIES = 7


def _op(contract: SystemContract) -> dg.OpDefinition:
    """A step for each system: one that fails stops no other."""

    @dg.op(name=f"keep_up_{contract.system}")
    def keep_system_up(context: dg.OpExecutionContext, sources: Sources) -> None:
        """Bring an embedded source to what its contract declares; one that is behind a URL belongs to somebody else."""
        if Databases(Settings.from_environment()).external_url(contract.system):
            context.log.info(f"{contract.system} is behind a URL: its owner keeps it up")
            return
        try:
            for line in keep_up(contract, sources.url(contract.system)):
                context.log.info(f"{contract.system}: {line}")
        except LockNotAvailable as in_use:
            raise dg.RetryRequested(max_retries=_MAX_RETRIES, seconds_to_wait=2**context.retry_number) from in_use

    return keep_system_up


@dg.job(description="Make partitions of the coming periods in embedded sources, and archive or delete old rows as their contracts say.")
def source_upkeep() -> None:
    """One step for each system whose database Runmart builds."""
    for system, contract in shared_contracts().items():
        if has_migrations(system):
            _op(contract)()


@dg.definitions
def upkeep(context: dg.ComponentLoadContext) -> dg.Definitions:
    """The job, once a day; sources are the same in every warehouse."""
    if namespace_of(context) != DEFAULT:
        return dg.Definitions()
    return dg.Definitions(jobs=[source_upkeep], schedules=[running("daily_source_upkeep", source_upkeep.name, "15 4 * * *")])
