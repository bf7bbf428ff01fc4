"""The `runmart` command.

Belongs here: names and options of commands. Does not belong here: the work (`commands/`), which is done in Dagster runs that the UI shows
too, and how results look (`results`). Modules that take long to import are imported by the command that needs them.
"""

import os
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg2
import typer
from sqlalchemy.exc import DBAPIError

from dagster_project.commands import setup
from dagster_project.commands.refreshing import current_refresh
from dagster_project.errors import RunmartError
from dagster_project.import_results import ask_for_models, backtest_as_dict, show_backtest, show_import
from dagster_project.ingestion.errors import from_driver
from dagster_project.resources.databases import WAREHOUSE, Databases
from dagster_project.results import (
    as_dict,
    show_explanation,
    show_findings,
    show_leaders,
    show_nothing_new,
    show_published_rows,
    show_rows,
    show_system,
    show_verdict,
)
from dagster_project.settings import ConfigurationError, Settings
from dagster_project.short_lived import collect_garbage_rarely
from dagster_project.source_cli import source_app
from dagster_project.terminal import AsJson, err, out, print_json

if TYPE_CHECKING:
    from dagster_project.commands.runs import RunReport

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Runmart: marts of your ML metadata.")
app.add_typer(source_app, name="source")

ANALYST = "runmart_analyst"
DEMO_SYSTEM = "forecast_tracking"

Systems = Annotated[list[str] | None, typer.Argument(help="Systems; all if none is named.", show_default=False)]


def main() -> None:
    """Run the command; a failure that a user can act on ends with one line and exit code 1."""
    # A server that accepts a connection and then says nothing would hold a command for ever.
    os.environ.setdefault("PGCONNECT_TIMEOUT", "10")
    collect_garbage_rarely()
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
        print_json({"workload": asdict(workload), **as_dict(report), "best_models": [asdict(one) for one in leaders]})
        return
    show_rows(report)
    show_leaders(leaders)
    show_verdict(report)
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
        print_json([as_dict(report) for report in reports])
        return
    for report in reports:
        show_rows(report)
        show_verdict(report)


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
            {"system": system, "findings": [asdict(one) for one in findings(report)], **as_dict(report)}
            for system, report in reports.items()
        ]
        print_json(documents)
    else:
        for report in reports.values():
            show_findings(report)
            show_verdict(report)
    if any(one.rows_left for report in reports.values() for one in findings(report)):
        raise SystemExit(1)


@app.command()
def refresh(
    full: Annotated[bool, typer.Option("--full", help="Recompute everything, not only what new batches have touched.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the marts up to date with raw, check them, publish them."""
    databases = _databases()
    # Told also when there is nothing to do.
    _check_setup(databases)
    current = None if full else current_refresh(databases)
    if current is not None:
        if as_json:
            print_json({"job": "refresh", "is_success": True, "nothing_new_since": asdict(current)})
        else:
            show_nothing_new(current)
        return
    report = _run("refresh", databases, as_json, {"ops": {"transformation": {"config": {"full": full}}}})
    if as_json:
        print_json(as_dict(report))
        return
    show_published_rows(report)
    show_verdict(report)


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
        print_json([asdict(system) for system in systems])
        return
    if not systems:
        out.print("nothing has been synced yet; run `runmart sync`")
    for system in systems:
        show_system(system)


@app.command()
def explain(
    mart: Annotated[str, typer.Argument(help="A mart, such as analytics.model_performance.")],
    key: Annotated[
        list[str], typer.Option("--key", help="column=value of the row; several together name one row. An empty value is null.")
    ],
    column: Annotated[str | None, typer.Option("--column", help="Explain this column only.")] = None,
    rows: Annotated[int, typer.Option("--rows", help="How many rows to list of each source table.", min=0)] = 10,
    as_json: AsJson = False,
) -> None:
    """Show where a row of a mart comes from: the source rows behind it, and the SQL that makes its values of them."""
    from dagster_project.commands.explaining import explanation_of  # noqa: PLC0415

    explanation = explanation_of(_databases(), mart, key, column, rows)
    if as_json:
        print_json({**asdict(explanation), "differing": explanation.differing})
    else:
        show_explanation(explanation)
    if explanation.is_wrong:
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
    file: Annotated[
        Path,
        typer.Argument(
            help="Forecasts in Nixtla's cross-validation shape: CSV, compressed or not, or Parquet.", dir_okay=False, exists=True
        ),
    ],
    experiment: Annotated[str, typer.Option(help="Experiment that the backtest goes to; created if it is new.")],
    *,
    models: Annotated[str | None, typer.Option(help="The columns that are models, as in A,B; without it, those that are certain.")] = None,
    history: Annotated[
        Path | None,
        typer.Option(help="Observations (unique_id, ds, y) up to each cutoff, for mase and rmsse.", dir_okay=False, exists=True),
    ] = None,
    season_length: Annotated[int | None, typer.Option(help="Observations per season, if the times do not say.", min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """Write a backtest of your own (unique_id, ds, cutoff, y, Model, Model-lo-90, …) into the source database."""
    from dagster_project.demo.backtest_columns import UndecidedColumnsError  # noqa: PLC0415
    from dagster_project.demo.backtest_import import Choices, read_backtest, track_backtest  # noqa: PLC0415

    choices = Choices(models, history, season_length)
    try:
        backtest = read_backtest(file, choices)
    except UndecidedColumnsError as undecided:
        if as_json or not sys.stdin.isatty():
            raise
        backtest = read_backtest(file, replace(choices, models=ask_for_models(undecided.certain, undecided.doubtful)))
    if not as_json:
        show_backtest(backtest)
    databases = _databases()
    if databases.external_url(DEMO_SYSTEM) is None:
        setup.migrate(databases)
    summary = track_backtest(databases.url(DEMO_SYSTEM), backtest, experiment)
    if as_json:
        print_json({**asdict(summary), **backtest_as_dict(backtest)})
    else:
        show_import(summary)


def _one_job(job: str, as_json: bool) -> None:
    report = _run(job, _databases(), as_json)
    if as_json:
        print_json(as_dict(report))
    else:
        show_verdict(report)


def _run(job: str, databases: Databases, as_json: bool, config: dict[str, Any] | None = None) -> "RunReport":
    """Run a job with its progress on stderr; a run that failed ends the command with its causes."""
    from dagster_project.commands.progress import Progress  # noqa: PLC0415
    from dagster_project.commands.runs import run_job  # noqa: PLC0415
    from dagster_project.resources.instance import open_instance  # noqa: PLC0415

    _check_setup(databases)
    _say(f"running {job}", as_json)
    progress = Progress(lambda line: _say(line, as_json))
    with open_instance(databases) as instance:
        report = run_job(job, instance, databases.settings.home / "logs" / "runs.log", progress, config)
    if not report.is_success:
        if as_json:
            print_json(as_dict(report))
        else:
            show_findings(report)
            show_verdict(report)
        for error in report.errors:
            err.print("[bold red]error:[/]", error.replace("[", r"\["))
        err.print(
            f"run {report.run_id} failed; what was published before is unchanged; `runmart up` shows the run, its checks and their rows"
        )
        raise SystemExit(1)
    return report


def _check_setup(databases: Databases) -> None:
    """Tell of a mistake in a contract, and of a database that cannot be used, before anything starts."""
    setup.known_systems(())
    setup.check_connections(databases)


def _say(line: str, as_json: bool) -> None:
    """Progress goes to stderr, so that stdout holds results only; with --json there is none."""
    if not as_json:
        err.print(line.replace("[", r"\["))
