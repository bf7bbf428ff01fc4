"""A run's turn: what must never run twice at once waits here for the runs before it.

Belongs here: waiting for the pools that a job needs, and ending runs whose process has died, which would hold them for ever. Does not
belong here: which jobs share a pool (`defs/`). Dagster would wait too, but without a break between two looks, deaf to signals, and for the
dead as well.
"""

import time
from collections.abc import Callable, Iterator

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, JobDefinition, OpDefinition, RunsFilter

from dagster_project.internals.dagster import PARTITION_TAG, leave_pools, runs_in_pools
from dagster_project.resources.run_process import is_orphan

_POLL_SECONDS = 0.5
_UNFINISHED = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def wait_for_turn(job: JobDefinition, instance: DagsterInstance, say: Callable[[str], None], tenant: str | None = None) -> None:
    """Wait until no other run is in the pools of a job, or of its tenant.

    Args:
        job: The job that is to run.
        instance: Where the other runs are recorded.
        say: Called with a line for each run that is waited for.
        tenant: The tenant that it is to run for, if there are any; tenants share no pool.
    """
    told: set[str] = set()
    while runs := list(_runs_of(tenant, instance) if tenant else _runs_before(job, instance)):
        for run in runs:
            if run.run_id not in told:
                say(f"waiting for run {run.run_id} of {run.job_name} to end; `runmart up` shows it, and can end it")
                told.add(run.run_id)
        time.sleep(_POLL_SECONDS)


def end_runs_of_dead_processes(instance: DagsterInstance) -> None:
    """Report the runs whose process has died as failed, so that nothing waits for them."""
    for run in instance.get_runs(RunsFilter(statuses=_UNFINISHED)):
        if is_orphan(run):
            instance.report_run_failed(run, "The process that executed the run has died.")


def _runs_of(tenant: str, instance: DagsterInstance) -> Iterator[DagsterRun]:
    """The runs of a tenant that have not ended."""
    end_runs_of_dead_processes(instance)
    yield from instance.get_runs(RunsFilter(statuses=_UNFINISHED, tags={PARTITION_TAG: tenant}))


def _runs_before(job: JobDefinition, instance: DagsterInstance) -> Iterator[DagsterRun]:
    """The runs that are in the pools of a job or wait for them, once those are cleared of what has ended."""
    end_runs_of_dead_processes(instance)
    pools = {node.definition.pool for node in job.nodes if isinstance(node.definition, OpDefinition) and node.definition.pool}
    for run_id in sorted(runs_in_pools(instance, pools)):
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            leave_pools(instance, run_id)
        else:
            yield run
