"""Running a job for a command: its progress on stderr, and how it ended.

Belongs here: what all commands that run a job have in common. Does not belong here: the commands (`cli`, `check_cli`), the run itself
(`commands.runs`), and how results look (`results`).
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from rich.console import Console

from dagster_project.commands import setup
from dagster_project.commands.ahead import dbt_ahead
from dagster_project.commands.syncing import SYNC_AND_REFRESH
from dagster_project.resources.databases import Databases
from dagster_project.results import as_dict, show_findings, show_verdict
from dagster_project.terminal import err, kept_stderr, print_error, print_json

if TYPE_CHECKING:
    from dagster_project.commands.runs import RunReport
    from dagster_project.commands.tenants import TenantReport


_WITH_DBT = {SYNC_AND_REFRESH, "refresh"}


def run(job: str, databases: Databases, as_json: bool, config: dict[str, Any] | None = None) -> "RunReport":
    """Run a job with its progress on stderr; a run that failed ends the command with its causes."""
    check_setup(databases)
    say(f"running {job}", as_json)
    with dbt_ahead(databases) if job in _WITH_DBT else nullcontext():
        report = _run(job, databases, as_json, config)
    if not report.is_success:
        if as_json:
            print_json(as_dict(report))
        else:
            show_findings(report)
            show_verdict(report)
        for error in report.errors:
            print_error(error)
        err.print(
            f"run {report.run_id} failed; what was published before is unchanged; `runmart up` shows the run, its checks and their rows"
        )
        raise SystemExit(1)
    return report


def run_tenants(system: str, databases: Databases, tenants: Sequence[str], as_json: bool) -> "list[TenantReport]":
    """Bring the warehouses of tenants up to date, each told as it ends; one that fails ends nothing."""
    from dagster_project.commands.tenants import chosen_tenants, sync_tenants  # noqa: PLC0415

    check_setup(databases)
    names = chosen_tenants(databases, system, tenants)
    reports = []
    with dbt_ahead(databases):
        for report in sync_tenants(databases, system, names, lambda line: say(line, as_json)):
            say(f"  {report.tenant}: {report.outcome}", as_json)
            reports.append(report)
    return sorted(reports, key=lambda report: report.tenant)


def _run(job: str, databases: Databases, as_json: bool, config: dict[str, Any] | None) -> "RunReport":
    from dagster_project.commands.progress import Progress  # noqa: PLC0415
    from dagster_project.commands.runs import run_job  # noqa: PLC0415
    from dagster_project.resources.instance import open_instance  # noqa: PLC0415

    with open_instance(databases) as instance, kept_stderr() as console:
        return run_job(job, instance, Progress(lambda line: say(line, as_json, console)), config)


def check_setup(databases: Databases) -> None:
    """Tell of a mistake in a contract, and of a database that cannot be used, before anything starts."""
    setup.known_systems(())
    setup.check_connections(databases)


def say(line: str, as_json: bool, console: Console = err) -> None:
    """Progress goes to stderr, so that stdout holds results only; with --json there is none."""
    if not as_json:
        console.print(line.replace("[", r"\["))
