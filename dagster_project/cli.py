"""The `runmart` command.

Belongs here: names, options and what a person sees in the terminal. Does not belong here: the work (`commands/`), which is done in Dagster
runs that the UI shows too. Modules that take long to import are imported by the command that needs them.
"""

import json
import os
import shlex
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg2
import typer
from rich import box
from rich.table import Column, Table
from sqlalchemy.exc import DBAPIError

from dagster_project import words
from dagster_project.commands import setup
from dagster_project.commands.refreshing import current_refresh
from dagster_project.errors import RunmartError
from dagster_project.ingestion.errors import from_driver
from dagster_project.resources.databases import WAREHOUSE, Databases
from dagster_project.settings import ConfigurationError, Settings
from dagster_project.source_cli import source_app
from dagster_project.terminal import err, out

if TYPE_CHECKING:
    from dagster_project.commands.reconciling import Finding
    from dagster_project.commands.runs import RunReport
    from dagster_project.commands.status import SystemStatus
    from dagster_project.marts.explanation import Explanation, SourceRows
    from dagster_project.marts.refreshes import Refresh

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Runmart: marts of your ML metadata.")
app.add_typer(source_app, name="source")

ANALYST = "runmart_analyst"
DEMO_SYSTEM = "forecast_tracking"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Systems = Annotated[list[str] | None, typer.Argument(help="Systems; all if none is named.", show_default=False)]


def main() -> None:
    """Run the command; a failure that a user can act on ends with one line and exit code 1."""
    # A server that accepts a connection and then says nothing would hold a command for ever.
    os.environ.setdefault("PGCONNECT_TIMEOUT", "10")
    try:
        app()
    except (RunmartError, psycopg2.Error, DBAPIError, OSError) as error:
        err.print("[bold red]error:[/]", _clear_line(error).replace("[", r"\["))
        raise SystemExit(1) from None


def _clear_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return str(from_driver(cause, "the database")) if isinstance(cause, psycopg2.Error) else str(cause)


def _databases() -> Databases:
    return Databases(Settings.from_environment())


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Set everything up on the embedded server, run real backtests, sync, build, check, publish."""
    from dagster_project.commands.leaders import best_models  # noqa: PLC0415
    from dagster_project.demo.forecast_tracking import fill  # noqa: PLC0415

    databases = _databases()
    if databases.external_url(DEMO_SYSTEM):
        raise ConfigurationError(
            "the demo writes into its source database; unset RUNMART_SOURCE_FORECAST_TRACKING_URL to use the embedded one"
        )
    _say("starting PostgreSQL and migrating", as_json)
    setup.migrate(databases)
    _say("running backtests and tracking them; two are set up so that they end early, as real ones do", as_json)
    workload = fill(databases.url(DEMO_SYSTEM), databases.settings.home, lambda line: _say(f"  {line}", as_json))
    report = _run("sync_and_refresh", databases, as_json)
    leaders = best_models(databases.url(WAREHOUSE, ANALYST))
    if as_json:
        out.print_json(
            json.dumps({"workload": asdict(workload), **_as_dict(report), "best_models": [asdict(one) for one in leaders]}, default=str)
        )
        return
    _show_rows(report)
    table = _table("best models", "experiment", "mae", "skill*", "series x cutoffs")
    for leader in leaders:
        table.add_row(leader.model, leader.experiment, _number(leader.mae), _number(leader.skill), str(leader.common_pairs))
    out.print(table)
    out.print("* share of seasonal naive's mean absolute error that the model saves, over the series and cutoffs that all models have\n")
    _show_verdict(report)
    out.print(
        "\nWhere to look next\n"
        "  runmart up                       the Dagster UI: assets, runs, checks\n"
        '  psql "$(runmart url analyst)"    the marts, such as analytics.model_leaderboard\n'
        "  runmart status                   rows, age and checks of every raw table\n"
        f"  the validations as pages: {databases.settings.home / 'data_docs' / 'index.html'}",
        soft_wrap=True,
    )


@app.command()
def up(port: Annotated[int, typer.Option(help="Port of the UI on the loopback address.", min=1, max=65535)] = 3000) -> None:
    """Start the server, the Dagster UI and the daemon; Ctrl-C ends all of it."""
    from dagster_project.commands.processes import claimed, ended_by_signals, serve  # noqa: PLC0415
    from dagster_project.commands.turns import end_runs_of_dead_processes  # noqa: PLC0415
    from dagster_project.resources.instance import environment, open_instance  # noqa: PLC0415

    databases = _databases()
    home = databases.settings.home
    with claimed(home, port), ended_by_signals():
        try:
            setup.migrate(databases)
            with open_instance(databases) as instance:
                end_runs_of_dead_processes(instance)
            err.print("starting code server, UI and daemon …")
            serve(environment(databases), home, port, lambda url: err.print(f"Dagster UI: [bold]{url}[/]  (Ctrl-C to stop)"))
        finally:
            databases.server.stop()
    err.print("stopped")


@app.command()
def down() -> None:
    """Stop the embedded server."""
    _databases().server.stop()


@app.command()
def migrate(systems: Systems = None) -> None:
    """Bring the warehouse and the embedded source databases to the newest revision; a source of your own only if you name it."""
    for name in setup.migrate(_databases(), systems or ()):
        out.print(f"{name}: at the newest revision")


@app.command()
def sync(systems: Systems = None, as_json: AsJson = False) -> None:
    """Bring the raw tables up to a snapshot of their source, and check them."""
    databases = _databases()
    reports = [_run(f"sync_{system}", databases, as_json) for system in setup.known_systems(systems or ())]
    if as_json:
        out.print_json(json.dumps([_as_dict(report) for report in reports], default=str))
        return
    for report in reports:
        _show_rows(report)
        _show_verdict(report)


@app.command()
def reconcile(
    systems: Systems = None,
    tables: Annotated[list[str] | None, typer.Option("--table", help="Compare this table only; may be repeated.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Repair the rows that differ.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare whole raw tables with their source, and repair rows that differ if asked to."""
    from dagster_project.commands.reconciling import findings, tables_by_system  # noqa: PLC0415
    from dagster_project.components.source_system import reconcile_config  # noqa: PLC0415

    databases = _databases()
    reports = {
        system: _run(f"reconcile_{system}", databases, as_json, reconcile_config(system, names, is_repairing=repair))
        for system, names in tables_by_system(systems or (), tables or ()).items()
    }
    if as_json:
        documents = [
            {"system": system, "findings": [asdict(one) for one in findings(report)], **_as_dict(report)}
            for system, report in reports.items()
        ]
        out.print_json(json.dumps(documents, default=str))
    else:
        for report in reports.values():
            _show_findings(report)
            _show_verdict(report)
    if any(one.rows_left for report in reports.values() for one in findings(report)):
        raise SystemExit(1)


@app.command()
def refresh(
    full: Annotated[bool, typer.Option("--full", help="Recompute everything, not only what new batches have touched.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the marts up to date with raw, check them, publish them."""
    from dagster_project.components.contract import load_contracts  # noqa: PLC0415

    databases = _databases()
    # A mistake in a contract is told before anything starts, also when there is nothing to do.
    load_contracts()
    setup.check_connections(databases)
    current = None if full else current_refresh(databases)
    if current is not None:
        _show_nothing_new(current, as_json)
        return
    report = _run("refresh", databases, as_json, {"ops": {"transformation": {"config": {"full": full}}}})
    if as_json:
        out.print_json(json.dumps(_as_dict(report), default=str))
        return
    _show_published_rows(report)
    _show_verdict(report)


@app.command()
def check(as_json: AsJson = False) -> None:
    """Run every check on what is there; build nothing."""
    _one_job("check", as_json)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show of every raw table how far it is behind its source, what its last sync did, and its checks."""
    from dagster_project.commands.status import system_statuses  # noqa: PLC0415

    systems = system_statuses(_databases())
    if as_json:
        out.print_json(json.dumps([asdict(system) for system in systems], default=str))
        return
    if not systems:
        out.print("nothing has been synced yet; run `runmart sync`")
    for system in systems:
        _show_system(system)


@app.command()
def explain(
    mart: Annotated[str, typer.Argument(help="A mart, such as analytics.model_performance.")],
    key: Annotated[
        list[str], typer.Option("--key", help="column=value of the row; several together name one row. An empty value is null.")
    ],
    column: Annotated[str | None, typer.Option("--column", help="Explain this column only.")] = None,
    rows: Annotated[int, typer.Option("--rows", help="How many rows to list of each source table.", min=0)] = 10,
) -> None:
    """Show where a row of a mart comes from: the source rows behind it, and the SQL that makes its values of them."""
    from dagster_project.commands.explaining import explanation_of  # noqa: PLC0415

    explanation = explanation_of(_databases(), mart, key, column, rows)
    _show_mart_row(explanation)
    for source in explanation.sources:
        _show_source_rows(source)
    _show_sql(explanation)
    is_wrong = bool(explanation.differing) and not explanation.has_moved_on
    out.print(f"\n{_proof(explanation)}", style="red" if is_wrong else None, markup=False, soft_wrap=True)
    if is_wrong:
        raise SystemExit(1)


@app.command()
def url(database: Annotated[str, typer.Argument(help="warehouse, analyst, or a system.")]) -> None:
    """Print the connection URL of a database, for psql and notebooks."""
    databases = _databases()
    if database == "analyst":
        print(databases.url(WAREHOUSE, ANALYST))
    else:
        print(databases.url(database if database == WAREHOUSE else setup.known_systems([database])[0]))


@app.command()
def env() -> None:
    """Print the variables under which dagster, dbt and alembic work by themselves: eval "$(runmart env)"."""
    from dagster_project.resources.instance import environment  # noqa: PLC0415

    for name, value in environment(_databases()).items():
        print(f"export {name}={shlex.quote(value)}")


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file in Nixtla's cross-validation shape.", dir_okay=False, exists=True)],
    experiment: Annotated[str, typer.Option(help="Experiment that the backtest goes to; created if it is new.")],
    as_json: AsJson = False,
) -> None:
    """Write a backtest of your own (unique_id, ds, cutoff, y, Model, Model-lo-90, …) into the source database."""
    from dagster_project.demo.backtest_files import import_backtest  # noqa: PLC0415

    databases = _databases()
    if databases.external_url(DEMO_SYSTEM) is None:
        setup.migrate(databases)
    summary = import_backtest(databases.url(DEMO_SYSTEM), file, experiment)
    if as_json:
        out.print_json(json.dumps(asdict(summary), default=str))
        return
    if summary.is_new:
        out.print(f"tracked as run {summary.run_id}: {summary.predictions:,} forecasts of {', '.join(summary.models)}", markup=False)
        out.print(f"skipped: {summary.skipped:,} forecasts that are not finite numbers")
    else:
        out.print(f"nothing to do: the experiment has this file already, as run {summary.run_id}")
    out.print("next: runmart sync && runmart refresh")


def _one_job(job: str, as_json: bool) -> None:
    report = _run(job, _databases(), as_json)
    if as_json:
        out.print_json(json.dumps(_as_dict(report), default=str))
    else:
        _show_verdict(report)


def _run(job: str, databases: Databases, as_json: bool, config: dict[str, Any] | None = None) -> "RunReport":
    """Run a job with its progress on stderr; a run that failed ends the command with its causes."""
    from dagster_project.commands.progress import Progress  # noqa: PLC0415
    from dagster_project.commands.runs import run_job  # noqa: PLC0415
    from dagster_project.resources.instance import open_instance  # noqa: PLC0415

    setup.known_systems(())
    setup.check_connections(databases)
    _say(f"running {job}", as_json)
    progress = Progress(lambda line: _say(line, as_json))
    with open_instance(databases) as instance:
        report = run_job(job, instance, databases.settings.home / "logs" / "runs.log", progress, config)
    if not report.is_success:
        if as_json:
            out.print_json(json.dumps(_as_dict(report), default=str))
        else:
            _show_findings(report)
            _show_verdict(report)
        for error in report.errors:
            err.print("[bold red]error:[/]", error.replace("[", r"\["))
        err.print(
            f"run {report.run_id} failed; what was published before is unchanged; `runmart up` shows the run, its checks and their rows"
        )
        raise SystemExit(1)
    return report


def _say(line: str, as_json: bool) -> None:
    """Progress goes to stderr, so that stdout holds results only; with --json there is none."""
    if not as_json:
        err.print(line.replace("[", r"\["))


def _as_dict(report: "RunReport") -> dict[str, Any]:
    failed = [
        {"asset": check.asset_key.to_user_string(), "check": check.check_name, "severity": check.severity.value}
        for check in report.failed_checks
    ]
    return {**vars(report), "failed_checks": failed}


def _show_rows(report: "RunReport") -> None:
    raw = {key: data for key, data in sorted(report.assets.items()) if "rows_read" in data}
    for system in dict.fromkeys(key.partition("/")[0] for key in raw):
        table = _table(f"raw_{system}", "rows", "inserted", "updated", "deleted", "seconds")
        for key, data in raw.items():
            if key.startswith(f"{system}/"):
                counts = [f"{data[name]:,}" for name in ("dagster/row_count", "rows_inserted", "rows_updated", "rows_deleted")]
                table.add_row(key.partition("/")[2], *counts, f"{data['seconds']:.2f}")
        out.print(table)


def _show_nothing_new(current: "Refresh", as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps({"job": "refresh", "is_success": True, "nothing_new_since": asdict(current)}, default=str))
        return
    batches = ", ".join(f"batch {batch_id} of {system}" for system, batch_id in sorted(current.batches.items()))
    age = words.duration((datetime.now(UTC) - current.published_at).total_seconds())
    out.print(f"nothing is new: refresh {current.refresh_id}, published {age} ago, reflects {batches}")


def _show_published_rows(report: "RunReport") -> None:
    """Rows that a refresh wrote, of the marts in which any differed."""
    published = report.assets["analytics/publication"]
    entries = published["rows"]
    rows = [row for row in entries if row["inserted"] or row["deleted"]] if isinstance(entries, list) else []
    table = _table(f"refresh {published['refresh_id']}", "rows written", "rows removed")
    for row in rows:
        table.add_row(row["mart"], f"{row['inserted']:,}", f"{row['deleted']:,}")
    out.print(table if rows else "no row of a mart differs from what was published before")


def _show_findings(report: "RunReport") -> None:
    """What a run that reconciled found; nothing if it ended before, or did not reconcile."""
    from dagster_project.commands.reconciling import findings  # noqa: PLC0415

    found = findings(report)
    if not found:
        return
    system = report.job.removeprefix("reconcile_")
    table = _table(f"raw_{system}", "compared", "lost", "extra", "stale", "repaired", "read", "MB", "seconds")
    for one in found:
        table.add_row(one.table, *_finding_cells([one]))
    table.add_section()
    table.add_row("total", *_finding_cells(found))
    out.print(table)
    left = sum(one.rows_left for one in found)
    if left:
        err.print(
            f"[bold red]error:[/] raw_{system} differs from its source in {left:,} row{'s' if left > 1 else ''}, which "
            f"`runmart reconcile {system} --repair` repairs; ops.repairs has the keys"
        )


def _finding_cells(found: list["Finding"]) -> list[str]:
    names = ("rows_compared", "rows_lost", "rows_extra", "rows_stale", "rows_repaired", "rows_read")
    counts = [f"{sum(getattr(one, name) for one in found):,}" for name in names]
    return [*counts, f"{sum(one.bytes_read for one in found) / 10**6:,.2f}", f"{sum(one.seconds for one in found):.2f}"]


def _show_system(system: "SystemStatus") -> None:
    if system.age_seconds is None:
        out.print(f"[bold]{system.system}[/]: its first sync has not ended; `runmart sync {system.system}` goes on with the other tables")
    else:
        out.print(
            f"[bold]{system.system}[/]: batch {system.batch_id}, synced {words.duration(system.age_seconds)} ago, capture {system.capture}"
        )
    first = system.tables[0]
    if first.behind_seconds is None:
        out.print(f"  behind its source: - ({system.source_note})", soft_wrap=True, markup=False)
    else:
        out.print(f"  behind its source: {words.duration(first.behind_seconds)}, {first.behind_transactions:,} transactions of its server")
    last = system.last_reconcile
    if last is None:
        out.print(f"  last reconciled: never; `runmart reconcile {system.system}` compares every row")
    else:
        left = f", {last.rows_left:,} of them not repaired" if last.rows_left else ""
        out.print(f"  last reconciled: {words.duration(last.age_seconds)} ago, {last.rows_differing:,} rows differed{left}")
    table = _table(f"raw_{system.system}", "rows", "last sync", "rows read", "seconds", "checks")
    for row in system.tables:
        verdict = f"[red]{row.checks_failed} failed[/]" if row.checks_failed else f"{row.checks_passed} passed"
        cost = ("-", "-") if row.rows_read is None else (f"{row.rows_read:,}", f"{row.seconds:.2f}")
        table.add_row(row.table, f"{row.rows:,}", row.found_by, *cost, verdict)
    out.print(table)


def _show_mart_row(explanation: "Explanation") -> None:
    shown = [*explanation.grain, explanation.column, "refreshed_at", "source_batch_id"] if explanation.column else explanation.row
    table = _table(f"analytics.{explanation.mart}", "value")
    for name in dict.fromkeys(name for name in shown if name in explanation.row):
        table.add_row(name, _text(explanation.row[name]))
    out.print(table)


def _show_source_rows(source: "SourceRows") -> None:
    if source.batch_ids is None or source.synced_at is None:
        out.print(f"[bold]{source.table}[/]: no rows\n")
        return
    rows = f"{source.count:,} row{'' if source.count == 1 else 's'}"
    batches = _range("batch", "batches", *map(str, source.batch_ids))
    synced = _range("synced", "synced", *(f"{time:%Y-%m-%d %H:%M:%S}" for time in source.synced_at))
    out.print(f"[bold]{source.table}[/]: {rows}, {batches}, {synced} UTC", soft_wrap=True)
    table = _table(source.key[0], *source.key[1:], "batch", "synced at")
    for row in source.rows:
        table.add_row(*map(_text, row.key), str(row.batch_id), f"{row.synced_at:%Y-%m-%d %H:%M:%S}")
    if source.rows:
        left = source.count - len(source.rows)
        table.caption = f"and {left:,} more" if left else None
        out.print(table)


def _range(one: str, several: str, first: str, last: str) -> str:
    return f"{one} {first}" if first == last else f"{several} {first} to {last}"


def _show_sql(explanation: "Explanation") -> None:
    out.print(f"[bold]{explanation.model}[/], compiled:\n")
    out.print(explanation.sql, markup=False, soft_wrap=True)
    if explanation.models_read:
        out.print("\nit reads, in this order:")
    for model in explanation.models_read:
        out.print(f"  {model}", soft_wrap=True)


def _proof(explanation: "Explanation") -> str:
    """Whether the rows behind make what is shown, in one line."""
    count, recomputed = explanation.rows_behind, explanation.recomputed
    of_rows = f"recomputed from {'this 1 row' if count == 1 else f'these {count:,} rows'}"
    if explanation.has_moved_on:
        later = sum(source.later for source in explanation.sources)
        what = (
            f"{later:,} of these rows {'is' if later == 1 else 'are'} newer"
            if later
            else "rows that were behind this one have gone or moved"
        )
        return f"raw has moved on since refresh {explanation.refresh_id}: {what}; `runmart refresh` brings the mart up to date"
    if recomputed is None:
        return f"{of_rows}: there is no such row, unlike what is shown"
    if explanation.differing:
        values = (f"{name} = {_text(recomputed[name])}, not {_text(explanation.row[name])} as shown" for name in explanation.differing)
        return f"{of_rows}: {'; '.join(values)}"
    if explanation.column:
        return f"{of_rows}: {explanation.column} = {_text(explanation.row[explanation.column])}, as shown"
    return f"{of_rows}: all {len(recomputed)} columns as shown"


def _text(value: str | None) -> str:
    return "null" if value is None else value


def _show_verdict(report: "RunReport") -> None:
    failed = len(report.failed_checks)
    out.print(f"{report.job}: {len(report.assets)} assets, {report.passed_checks} checks passed, {failed} failed, {report.seconds} s")
    for one in report.failed_checks:
        rows = one.metadata.get("failing_rows")
        detail = f", failing rows: {rows.value}" if rows else ""
        out.print(f"  [red]{one.severity.value}[/] {one.asset_key.to_user_string()} {one.check_name}{detail}")


def _table(first: str, *others: str) -> Table:
    columns = (Column(first, no_wrap=True), *(Column(name, justify="right", overflow="fold") for name in others))
    return Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3f}"
