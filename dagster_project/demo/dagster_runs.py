"""What Dagster knows of its runs, in the words of the pipe service.

Belongs here: reading runs and their events through Dagster's public API, and what they mean as rows of `pipeline_runs`. Does not belong
here: writing them down (`pipe_service`).
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from dagster import AssetMaterialization, DagsterEvent, DagsterEventType, DagsterInstance, DagsterRunStatus, IntMetadataValue, RunRecord
from dagster_shared.error import SerializableErrorInfo

from dagster_project.internals.dagster import PARTITION_TAG

STATUSES = {
    DagsterRunStatus.QUEUED: "queued",
    DagsterRunStatus.NOT_STARTED: "queued",
    DagsterRunStatus.MANAGED: "queued",
    DagsterRunStatus.STARTING: "queued",
    DagsterRunStatus.STARTED: "running",
    DagsterRunStatus.SUSPENDED: "running",
    DagsterRunStatus.CANCELING: "running",
    DagsterRunStatus.SUCCESS: "completed",
    DagsterRunStatus.FAILURE: "failed",
    DagsterRunStatus.CANCELED: "cancelled",
}
ENDED = frozenset({"completed", "failed", "cancelled"})

# Dagster tags a run with what has started it; a command tags it with nothing of this kind.
_STARTED_BY = {"dagster/schedule_name": "scheduler", "dagster/sensor_name": "automation", "dagster/from_ui": "user_interface"}
COMMAND = "command_line"

_ROWS = ("rows_read", "rows_inserted", "rows_updated", "rows_deleted")
_FAILURES = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}
_CHECKED = DagsterEventType.ASSET_CHECK_EVALUATION
_TOLD = {DagsterEventType.ASSET_MATERIALIZATION, _CHECKED, *_FAILURES}


@dataclass(frozen=True)
class KnownRun:
    """A run as Dagster knows it.

    Attributes:
        run_id: Its UUID.
        job: The job that was run.
        started_by: What has started it: one of `_STARTED_BY`, or `COMMAND`.
        status: In the words of the pipe service.
        started_at: When it was created, which is when it was put into the queue.
        completed_at: When it ended; None while it has not.
        error_message: First line of its first failure; None if it has not failed.
        metrics: Assets it materialized, checks that passed and failed, rows that it read and wrote, seconds that it waited for its start;
            None while it has not ended.
    """

    run_id: UUID
    job: str
    started_by: str
    status: str
    started_at: datetime
    completed_at: datetime | None
    error_message: str | None
    metrics: dict[str, int | float] | None


def known_runs(instance: DagsterInstance, without: Collection[UUID]) -> Iterator[KnownRun]:
    """The runs of an instance, the oldest first. Those of tenants are told to nobody else.

    Args:
        instance: The instance.
        without: Runs to leave out.
    """
    for record in instance.get_run_records(ascending=True):
        if UUID(record.dagster_run.run_id) not in without and PARTITION_TAG not in record.dagster_run.tags:
            yield _known(instance, record)


def _known(instance: DagsterInstance, record: RunRecord) -> KnownRun:
    run = record.dagster_run
    status = STATUSES[run.status]
    has_ended = status in ENDED
    events = _events(instance, run.run_id) if has_ended else []
    return KnownRun(
        run_id=UUID(run.run_id),
        job=run.job_name,
        started_by=next((name for tag, name in _STARTED_BY.items() if tag in run.tags), COMMAND),
        status=status,
        started_at=record.create_timestamp,
        # A run that was ended from outside has no time of its end.
        completed_at=(_moment(record.end_time) or record.update_timestamp) if has_ended else None,
        error_message=_first_failure(events) if status == "failed" else None,
        metrics={**_metrics(events), **_waiting(record)} if has_ended else None,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _events(instance: DagsterInstance, run_id: str) -> list[DagsterEvent]:
    records = instance.get_records_for_run(run_id, of_type=_TOLD).records
    return [record.event_log_entry.get_dagster_event() for record in records]


def _waiting(record: RunRecord) -> dict[str, float]:
    started = _moment(record.start_time)
    return {"seconds_queued": round((started - record.create_timestamp).total_seconds(), 3)} if started else {}


def _metrics(events: Collection[DagsterEvent]) -> dict[str, int]:
    of_assets = (event for event in events if event.event_type is DagsterEventType.ASSET_MATERIALIZATION)
    materializations = [event.step_materialization_data.materialization for event in of_assets]
    verdicts = Counter(event.asset_check_evaluation_data.passed for event in events if event.event_type is _CHECKED)
    return {
        "assets": len(materializations),
        "checks_passed": verdicts[True],
        "checks_failed": verdicts[False],
        **{name: sum(_number(materialization, name) for materialization in materializations) for name in _ROWS},
    }


def _number(materialization: AssetMaterialization, name: str) -> int:
    value = materialization.metadata.get(name)
    return (value.value or 0) if isinstance(value, IntMetadataValue) else 0


def _first_failure(events: Collection[DagsterEvent]) -> str | None:
    failures = sorted((event for event in events if event.event_type in _FAILURES), key=lambda event: not event.is_step_failure)
    return _first_line(failures[0]) if failures else None


def _first_line(failure: DagsterEvent) -> str:
    """The line that names the cause: Dagster's own errors only say that something else went wrong."""
    said = failure.message or ""
    if failure.is_step_failure:
        data = failure.step_failure_data
        error = data.error
        while error is not None and error.cause is not None and (error.cls_name or "").startswith("Dagster"):
            error = error.cause
        said = (data.user_failure_data and data.user_failure_data.description) or _text(error) or said
    return said.strip().partition("\n")[0]


def _text(error: SerializableErrorInfo | None) -> str:
    return error.message if error else ""
