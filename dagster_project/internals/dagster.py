"""The private parts of Dagster that Runmart uses: what has an underscore on its way, and what the instance's storages can do.

Belongs here: these parts, each behind a function that says what it is for. Does not belong here: what Runmart makes of them.
"""

import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.execution.api import execute_run_iterator
from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.execution.plan.active import logger as _LOGGER
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import SensorInstigatorData
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord, AssetCheckExecutionRecordStatus
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.event_log.base import AssetRecord
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.tags import PARTITION_NAME_TAG
from dagster._serdes import ConfigurableClassData

# What the instance remembers of one execution of a check.
CheckRecord: TypeAlias = AssetCheckExecutionRecord

# What the instance knows of an asset: its last materialization and its last plan.
KnownAsset: TypeAlias = AssetRecord

# What `dagster.yaml` says of a class.
ConfiguredClass: TypeAlias = ConfigurableClassData

# The tag of a run that is of one partition.
PARTITION_TAG = PARTITION_NAME_TAG

_REPOSITORY = "__repository__"

_VERDICTS = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


def left_alone(asset: dg.AssetKey) -> dg.MaterializeResult[None]:
    """A result that lets what is downstream go on, and says nothing of the asset, which its step could not bring up to date.

    A step must give a result for each of its assets, or all steps downstream are skipped, and each result is told as a materialization.
    Dagster leaves that out for results with a mark of its own, made for observed assets; `tests/integration/runs/test_standing.py` fails
    when it no longer does.
    """
    return dg.MaterializeResult(asset_key=asset, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})


def let_verdicts_stand() -> None:
    """Keep Dagster from a warning for each blocking check that a step has not told: it stands as it was told before."""
    _LOGGER.addFilter(_is_no_untold_check)


def _is_no_untold_check(entry: logging.LogRecord) -> bool:
    return not str(entry.msg).startswith("Blocking asset check")


def described(check: dg.AssetCheckSpec, description: str, partitions: dg.PartitionsDefinition[str] | None = None) -> dg.AssetCheckSpec:
    """A check with another description, which blocks nothing and has the partitions of its asset."""
    return check._replace(description=description, blocking=False, partitions_def=partitions)


def create_run(
    instance: dg.DagsterInstance, job: dg.JobDefinition, location: str, run_config: Mapping[str, Any], tags: Mapping[str, str]
) -> dg.DagsterRun:
    """Record a run that is to be executed, as one of a code location, so that the UI shows its job with it."""
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), _REPOSITORY), job.name)
    return instance.create_run_for_job(job, run_config=run_config, remote_job_origin=origin, tags=tags)


def execute_run(instance: dg.DagsterInstance, job: dg.JobDefinition, run: dg.DagsterRun) -> Iterator[dg.DagsterEvent]:
    """Execute a recorded run in this process, event by event."""
    return execute_run_iterator(InMemoryJob(job), run, instance)


def last_verdicts(
    instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey], partition: str | None = None
) -> dict[dg.AssetCheckKey, CheckRecord]:
    """The last execution of each check that came to a verdict; one that is only planned, or whose run ended before it, does not count.

    Args:
        instance: Where they are recorded.
        checks: The checks.
        partition: Their partition; None if they have none.
    """
    storage, of_partition = instance.event_log_storage, PartitionKeyFilter(key=partition)
    found = dict(storage.get_latest_asset_check_execution_by_key(list(checks), of_partition))
    for key in [key for key, record in found.items() if record.status not in _VERDICTS]:
        earlier = storage.get_asset_check_execution_history(key, limit=1, status=_VERDICTS, partition_filter=of_partition)
        del found[key]
        found.update((key, record) for record in earlier)
    return found


def has_failed(verdict: CheckRecord | None) -> bool:
    """Whether there is a verdict, and it is bad."""
    return verdict is not None and verdict.status is AssetCheckExecutionRecordStatus.FAILED


def change_cursors(instance: dg.DagsterInstance, change: Callable[[str], str]) -> None:
    """Change what each sensor remembers from one look to the next."""
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        data = state.instigator_data
        if isinstance(data, SensorInstigatorData) and data.cursor and (changed := change(data.cursor)) != data.cursor:
            instance.update_instigator_state(state.with_data(data._replace(cursor=changed)))


def runs_in_pools(instance: dg.DagsterInstance, pools: Iterable[str]) -> set[str]:
    """Identities of the runs that are in pools or wait for them, ended ones that still hold a place among them."""
    found = [instance.event_log_storage.get_concurrency_info(pool) for pool in pools]
    return {run_id for info in found for run_id in info.active_run_ids | info.pending_run_ids | info.assigned_run_ids}


def leave_pools(instance: dg.DagsterInstance, run_id: str) -> None:
    """Free the places in pools of a run that has ended."""
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def keep_connections(storage: DagsterStorage, seconds: int) -> None:
    """Let a storage in PostgreSQL use its connections again until they are that old, as Dagster does in its webserver only."""
    for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
        part.optimize_for_webserver(statement_timeout=0, pool_recycle=seconds, max_overflow=-1)


class StepLogFiles(LocalComputeLogManager):
    """Files that take what steps print, and nobody else does.

    Dagster's own class shows it to the process too: by a `tail` for each stream, and a Python that looks after it. An interrupt in the
    terminal reaches these as well, and a Python that is still starting tells of it by a fatal error.
    """

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Send both streams of the process to files of their own."""
        out, err, complete = (Path(self.get_captured_local_path(log_key, kind)) for kind in ("out", "err", "complete"))
        out.parent.mkdir(parents=True, exist_ok=True)
        with redirect_to_file(sys.stdout, out), redirect_to_file(sys.stderr, err):
            yield CapturedLogContext(log_key)
        complete.touch()
