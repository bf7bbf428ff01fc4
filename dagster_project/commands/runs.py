"""Runs of Dagster jobs within this process: the same jobs that the UI starts, recorded in the same instance.

Belongs here: starting a job and telling how it went. Does not belong here: what the job does (`defs/`) and how its report is shown (`cli`).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    DagsterEvent,
    DagsterEventType,
    DagsterExecutionInterruptedError,
    DagsterInstance,
    Definitions,
    MetadataValue,
    TableMetadataValue,
)
from dagster_shared.error import SerializableErrorInfo

from dagster_project.commands.progress import Progress
from dagster_project.commands.turns import wait_for_turn
from dagster_project.defs.transformation import UNCHANGED_SINCE
from dagster_project.errors import RunmartError
from dagster_project.internals.dagster import PARTITION_TAG, create_run, execute_run
from dagster_project.quality.accounting import ROWS_IN_QUARANTINE
from dagster_project.quality.holding import CHECK as HELD
from dagster_project.resources.run_process import PROCESS_TAG, this_process

CODE_LOCATION = "runmart"
_DBT_ERRORS = "Errors parsed from dbt logs:"

# The events go to the instance; the console shows the progress that `Progress` makes of them.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class RunReport:
    """How a run went.

    Attributes:
        job: Name of the job.
        run_id: Identity of the run, as the UI shows it.
        is_success: Whether every step ended well; a failed blocking check is a failed step.
        seconds: Time taken.
        assets: Keys of the materialized assets, each `system/table` or `schema/model`, with the texts, numbers and tables (lists of rows)
            that its materialization says of itself.
        passed_checks: Number of checks that passed.
        failed_checks: The checks that did not.
        in_quarantine: By raw table of which there are some, the rows that marts do not read because they are in quarantine.
        errors: The causes of the failed steps, one line each, none twice.
    """

    job: str
    run_id: str
    is_success: bool = False
    seconds: float = 0.0
    assets: dict[str, dict[str, object]] = field(default_factory=dict)
    passed_checks: int = 0
    failed_checks: list[AssetCheckEvaluation] = field(default_factory=list)
    in_quarantine: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """How many assets are not as they were before."""
        return sum(UNCHANGED_SINCE not in said for said in self.assets.values())

    @property
    def holds_back(self) -> bool:
        """Whether marts stand as they were: too much of a raw table is wrong, or they fail checks of their own."""
        is_found = any(check.check_name == HELD for check in self.failed_checks)
        return is_found or any("held_back" in said for said in self.assets.values())


def run_job(
    job_name: str,
    instance: DagsterInstance,
    progress: Progress | None = None,
    config: Mapping[str, Any] | None = None,
    tenant: str | None = None,
) -> RunReport:
    """Run one job to its end.

    Args:
        job_name: A job of `defs.automation`.
        instance: Where the run is recorded.
        progress: Hears of every event and of every line that a step logs. Both streams of the process belong to the steps meanwhile.
        config: Configuration of the run, where the job's own is not to be used.
        tenant: The tenant whose warehouse the run is about; None if the job is of no tenants.
    """
    job = loaded_definitions().resolve_job_def(job_name)
    told = progress or Progress(lambda _: None)
    wait_for_turn(job, instance, told.say, tenant)
    tags = {PROCESS_TAG: this_process(), **({PARTITION_TAG: tenant} if tenant else {})}
    run = create_run(instance, job, CODE_LOCATION, {**(config or {}), **_QUIET}, tags)
    report, started = RunReport(job_name, run.run_id), time.monotonic()
    # What a step logs while it goes on is no event of the run: the instance passes it on as it stores it.
    instance.add_event_listener(run.run_id, told.log)
    for event in execute_run(instance, job, run):
        _note(report, event)
        told.show(event)
    report.seconds = round(time.monotonic() - started, 1)
    return report


@cache
def loaded_definitions() -> Definitions:
    """The project's definitions, loaded once per process: it imports dbt and every asset, which takes seconds.

    Raises:
        RunmartError: A file of the project is refused, such as a suite.
    """
    from dagster_project.definitions import defs  # noqa: PLC0415

    try:
        return defs()
    except Exception as error:
        # Dagster wraps the line that refuses a suite or the ranges of metrics in pages of its own.
        cause: BaseException | None = error
        while cause and not isinstance(cause, RunmartError):
            cause = cause.__cause__
        if cause:
            raise cause from None
        raise


def _note(report: RunReport, event: DagsterEvent) -> None:
    if event.event_type is DagsterEventType.ASSET_MATERIALIZATION:
        materialization = event.step_materialization_data.materialization
        plain = {name: _plain(value) for name, value in materialization.metadata.items()}
        report.assets[materialization.asset_key.to_user_string()] = {
            name: value for name, value in plain.items() if isinstance(value, str | int | float | list)
        }
    elif event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
        evaluation = event.asset_check_evaluation_data
        rows = evaluation.metadata.get(ROWS_IN_QUARANTINE)
        if rows and rows.value:
            report.in_quarantine[evaluation.asset_key.to_user_string()] = int(str(rows.value))
        if evaluation.passed:
            report.passed_checks += 1
        else:
            report.failed_checks.append(evaluation)
    elif event.event_type is DagsterEventType.STEP_FAILURE:
        data = event.step_failure_data
        description = data.user_failure_data.description if data.user_failure_data else None
        lines = _lines(description) if description else [_in_one_line(data.error) if data.error else str(event.message)]
        report.errors += [line for line in lines if line not in report.errors]
    elif event.event_type is DagsterEventType.RUN_SUCCESS:
        report.is_success = True


def _lines(description: str) -> list[str]:
    """A failure's own description, line by line; of dbt's, the part behind its command line, in one."""
    of_dbt = description.partition(_DBT_ERRORS)[2]
    return [" ".join(line.split()) for line in ([of_dbt] if of_dbt else description.splitlines()) if line.strip()]


def _plain(value: MetadataValue[Any]) -> object:
    return [record.data for record in value.records] if isinstance(value, TableMetadataValue) else value.value


def _in_one_line(error: SerializableErrorInfo) -> str:
    """What the code that failed said, without what Dagster wrapped around it."""
    while error.cause is not None and (error.cls_name or "").startswith(("Dagster", "RetryRequested")):
        error = error.cause
    if error.cls_name == DagsterExecutionInterruptedError.__name__:
        return "the run was interrupted"
    # Dagster writes the class of the error in front of its message.
    return " ".join(error.message.partition(": ")[2].split()) or " ".join(error.message.split())
