"""The `runmart check` commands: run checks, show how they run, and which rows fail.

Belongs here: names, options and what a person sees in the terminal. Does not belong here: the checks (`quality/`), and the job that runs
them (`defs.automation`).
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.commands.setup import find_databases
from dagster_project.job_runs import run
from dagster_project.results import as_dict, show_verdict
from dagster_project.terminal import AsJson, OfTenant, new_table, out, print_json

if TYPE_CHECKING:
    from dagster_project.commands.checking import PlannedSuite
    from dagster_project.quality.ledger import FailingRow

check_app = typer.Typer(help="Run every check on what is there; build nothing.", invoke_without_command=True)


@check_app.callback()
def check(
    context: typer.Context,
    plan: Annotated[bool, typer.Option("--plan", help="Show how each check is asked, and ask nothing.")] = False,
    native: Annotated[bool, typer.Option("--native", help="Ask Great Expectations, and compare.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run every check on what is there; build nothing."""
    if context.invoked_subcommand:
        return
    if plan:
        from dagster_project.commands.checking import planned  # noqa: PLC0415

        suites = planned()
        if as_json:
            print_json([asdict(suite) for suite in suites])
        else:
            _show_plan(suites)
        return
    report = run("check_natively" if native else "check", find_databases(), as_json)
    if as_json:
        print_json(as_dict(report))
    else:
        show_verdict(report)
    if any(check.severity.value == "ERROR" for check in report.failed_checks):
        raise SystemExit(1)


@check_app.command()
def show(
    asset: Annotated[str, typer.Argument(help="Such as forecast_tracking/metrics.")],
    check: Annotated[str, typer.Argument(help="Such as values_are_finite.")],
    everything: Annotated[bool, typer.Option("--all", help="All rows, instead of the first 20.")] = False,
    tenant: OfTenant = None,
    as_json: AsJson = False,
) -> None:
    """Show the rows that fail a check, and since when."""
    from dagster_project.commands.checking import failing_rows  # noqa: PLC0415

    total, rows = failing_rows(find_databases(), asset, check, None if everything else 20, tenant)
    if as_json:
        print_json({"asset": asset, "check": check, "failing_rows": total, "rows": [asdict(row) for row in rows]})
    else:
        _show_rows(f"{asset} {check}", total, rows)


def _show_plan(suites: Sequence["PlannedSuite"]) -> None:
    table = new_table("suite", "of single rows", "of groups", "of all rows", "of records", "Great Expectations")
    for suite in suites:
        table.add_row(suite.suite, *(str(number) if number else "-" for number in suite.numbers))
    out.print(table)
    natively = [f"{suite.suite} {check}" for suite in suites for check in suite.natively]
    out.print(f"asked by Great Expectations, which reads all rows each time: {', '.join(natively) or 'none'}", soft_wrap=True)


def _show_rows(check: str, total: int, rows: Sequence["FailingRow"]) -> None:
    if not rows:
        out.print(f"no row fails {check}")
        return
    columns = list(dict.fromkeys(column for row in rows for column in row.observed))
    table = new_table(columns[0], *columns[1:], "batch", "first seen", "last seen")
    for row in rows:
        values = ("null" if row.observed.get(column) is None else str(row.observed[column]) for column in columns)
        seen = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (row.first_seen_at, row.last_seen_at))
        table.add_row(*values, str(row.batch_id or "-"), *seen)
    left = total - len(rows)
    table.caption = f"and {left:,} more; --all shows them" if left else None
    out.print(table)
