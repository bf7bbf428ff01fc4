"""The `runmart` command.

Belongs here: names and options of commands. Does not belong here: the work (`commands/`), which is done in Dagster runs that the UI shows
too, and how results look (`results`). Modules that take long to import are imported by the command that needs them.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated, Any

import typer

from dagster_project.check_cli import check_app
from dagster_project.commands import setup
from dagster_project.commands.syncing import wanted
from dagster_project.commands.urls import UrlFormat, url_of, url_of_tenant
from dagster_project.contracts.loading import shared_contracts
from dagster_project.errors import RunmartError
from dagster_project.failures import told_in_one_line
from dagster_project.import_results import ask_for_models, backtest_as_dict, show_backtest, show_import
from dagster_project.job_runs import check_setup, run, run_tenants, say
from dagster_project.postgres.roles import ANALYST
from dagster_project.resources.databases import WAREHOUSE, Databases
from dagster_project.resources.news import current_refresh
from dagster_project.resources.tenants import listed_tenants, the_system
from dagster_project.results import (
    PUBLICATION,
    as_dict,
    show_explanation,
    show_findings,
    show_leaders,
    show_nothing_new,
    show_published_rows,
    show_rows,
    show_system,
    show_tenants,
    show_verdict,
    show_where_to_look,
    tenant_as_dict,
)
from dagster_project.settings import ConfigurationError, url_variable
from dagster_project.short_lived import collect_garbage_rarely
from dagster_project.source_cli import source_app
from dagster_project.tenant_cli import tenant_app
from dagster_project.terminal import AsJson, OfTenant, err, help_if_alone, out, print_error, print_json

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Runmart: marts of your ML metadata. Begin with `runmart demo`.",
    epilog="A command that fails prints one line that begins with `error:` and exits with 1; one that is not understood exits with 2.",
)
app.add_typer(source_app, name="source")
app.add_typer(check_app, name="check")
app.add_typer(tenant_app, name="tenant")

# Where backtests are imported.
_BACKTESTS = "forecast_tracking"

WATCH_SECONDS = 2.0

Systems = Annotated[list[str] | None, typer.Argument(help="Systems; all if none is named.", show_default=False)]


def main() -> None:
    """Run the command."""
    # A server that accepts a connection and then says nothing would hold a command for ever.
    os.environ.setdefault("PGCONNECT_TIMEOUT", "10")
    collect_garbage_rarely()
    with told_in_one_line():
        raise SystemExit(app(standalone_mode=False))


@app.callback(invoke_without_command=True)
def _runmart(context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(f"runmart {package_version('runmart')}")
        raise typer.Exit
    help_if_alone(context)


def _migrate(databases: Databases, systems: Sequence[str] = ()) -> list[str]:
    """Migrate, with warnings on stderr; the names of the databases that were migrated."""
    migrated = setup.migrate(databases, systems)
    for warning in migrated.warnings:
        err.print("[yellow]warning:[/]", warning.replace("[", r"\["))
    return migrated.databases


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Set everything up, fill the sources with real work, build and publish marts.

    All of it is on the embedded server. Run again, it does what is missing.
    """
    from dagster_project.commands.leaders import best_models  # noqa: PLC0415
    from dagster_project.commands.tenant_list import add_tenant  # noqa: PLC0415
    from dagster_project.demo.tenants import SYSTEM as TENANTS_OF  # noqa: PLC0415
    from dagster_project.demo.tenants import TENANTS, fill_tenants  # noqa: PLC0415
    from dagster_project.demo.workloads import workloads  # noqa: PLC0415

    databases, known = setup.find_databases(), workloads()
    for workload in known:
        if databases.external_url(workload.system):
            variable = url_variable(workload.system)
            raise ConfigurationError(f"the demo writes into the database of {workload.system}; unset {variable} to use the embedded one")
    say("starting PostgreSQL and migrating", as_json)
    _migrate(databases)
    filled, reports = dict[str, Any](), []
    say(f"filling the tenants of {TENANTS_OF}", as_json)
    listed = listed_tenants(databases, TENANTS_OF)
    for tenant in TENANTS:
        if tenant.name not in listed:
            add_tenant(databases, TENANTS_OF, tenant.name, tenant.title)
    filled.update(fill_tenants(databases, lambda line: say(f"  {line}", as_json)))
    for workload in known:
        say(f"filling {workload.system}", as_json)
        filled[workload.system] = workload.fill(
            databases.url(workload.system), databases.settings.home, lambda line: say(f"  {line}", as_json)
        )
        reports.append(run(f"sync_{workload.system}", databases, as_json))
    of_tenants = run_tenants(TENANTS_OF, databases, [tenant.name for tenant in TENANTS], as_json)
    if failed := [f"{report.tenant}: {error}" for report in of_tenants for error in report.errors]:
        raise RunmartError("; ".join(failed))
    reports += [run(f"sync_{system}", databases, as_json) for system, contract in shared_contracts().items() if contract.handed_over]
    reports.append(run("refresh", databases, as_json))
    leaders = best_models(databases.url(WAREHOUSE, ANALYST))
    if as_json:
        print_json(
            {
                "workloads": {system: asdict(summary) for system, summary in filled.items()},
                "tenants": [tenant_as_dict(report) for report in of_tenants],
                "runs": [as_dict(report) for report in reports],
                "best_models": [asdict(leader) for leader in leaders],
            }
        )
        return
    for report in reports:
        show_rows(report)
    show_tenants(of_tenants)
    show_leaders(leaders)
    for report in reports:
        show_verdict(report)
    show_where_to_look(databases.warehouse().data_docs / "index.html")


@app.command()
def up(
    seconds: Annotated[
        float | None,
        typer.Argument(help=f"What --watch waits between two looks; {WATCH_SECONDS:g} if not said.", show_default=False, min=0.1, max=3600),
    ] = None,
    *,
    port: Annotated[int, typer.Option(help="Port of the UI on the loopback address.", min=1, max=65535)] = 3000,
    watch: Annotated[bool, typer.Option("--watch", help="Look at the sources, and publish what changes in them at once.")] = False,
) -> None:
    """Start the server, the Dagster UI and the daemon.

    While it runs, other commands on its home begin at once. Ctrl-C ends all of it.
    """
    from dagster_project.commands.processes import claimed, ended_by_signals, serve  # noqa: PLC0415
    from dagster_project.commands.turns import end_runs_of_dead_processes  # noqa: PLC0415
    from dagster_project.resources.instance import environment, open_instance  # noqa: PLC0415

    if seconds is not None and not watch:
        raise ConfigurationError(f"{seconds:g} says how long to wait between two looks: runmart up --watch {seconds:g}")
    databases = setup.find_databases()
    home = databases.settings.home
    with claimed(home, port), ended_by_signals():
        try:
            _migrate(databases)
            with open_instance(databases) as instance:
                end_runs_of_dead_processes(instance)
            err.print("starting code server, UI and daemon …")
            serve(
                environment(databases),
                home,
                port,
                lambda url: err.print(f"Dagster UI: [bold]{url}[/]  (Ctrl-C to stop)"),
                watch_seconds=(seconds or WATCH_SECONDS) if watch else None,
            )
        finally:
            databases.server.stop()
    err.print("stopped")


@app.command()
def down() -> None:
    """Stop the embedded server."""
    setup.find_databases().server.stop()


@app.command()
def migrate(systems: Systems = None) -> None:
    """Bring databases to the newest revision.

    These are the warehouse and the embedded sources; a source of your own only if you name it.
    """
    for name in _migrate(setup.find_databases(), systems or ()):
        out.print(f"{name}: at the newest revision")


@app.command()
def sync(
    systems: Systems = None,
    tenants: Annotated[list[str] | None, typer.Option("--tenant", metavar="TENANT", help="This tenant only; repeat for more.")] = None,
    *,
    refresh: Annotated[bool, typer.Option("--refresh", help="Then bring the marts up to date, as `runmart refresh` does.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring raw tables to a snapshot of their source, and check them.

    With --refresh all systems and the marts are one run. Each tenant has a run of its own, which always brings its marts up to date too.
    """
    databases, asked = setup.find_databases(), wanted(systems or (), tenants or (), is_refreshing=refresh)
    of_tenants = [report for system in asked.of_tenants for report in run_tenants(system, databases, tenants or (), as_json)]
    reports = [run(job, databases, as_json) for job in asked.jobs]
    if as_json:
        print_json([*map(tenant_as_dict, of_tenants), *map(as_dict, reports)])
    else:
        show_tenants(of_tenants)
        for report in reports:
            show_rows(report)
            if PUBLICATION in report.assets:
                show_published_rows(report)
            show_verdict(report)
    for tenant in of_tenants:
        for error in tenant.errors:
            print_error(f"{tenant.tenant}: {error}")
    if any(report.holds_back for report in reports) or any(tenant.errors for tenant in of_tenants):
        raise SystemExit(1)


@app.command()
def reconcile(
    systems: Systems = None,
    tables: Annotated[list[str] | None, typer.Option("--table", metavar="TABLE", help="Compare this table only; repeat for more.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Repair the rows that differ.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare whole raw tables with their source, value by value.

    Rows that differ are repaired with --repair only.
    """
    from dagster_project.commands.reconciling import findings, tables_by_system  # noqa: PLC0415
    from dagster_project.components.source_system import reconcile_config  # noqa: PLC0415

    databases = setup.find_databases()
    reports = {
        system: run(f"reconcile_{system}", databases, as_json, reconcile_config(system, names, is_repairing=repair))
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
    """Bring the marts up to date with raw; check and publish them."""
    databases = setup.find_databases()
    # Told also when there is nothing to do.
    check_setup(databases)
    current = None if full else current_refresh(databases.warehouse())
    if current is not None:
        if as_json:
            print_json({"job": "refresh", "is_success": True, "nothing_new_since": asdict(current)})
        else:
            show_nothing_new(current)
        return
    report = run("refresh", databases, as_json, {"ops": {"transformation": {"config": {"full": full}}}})
    if as_json:
        print_json(as_dict(report))
    else:
        show_published_rows(report)
        show_verdict(report)
    if report.holds_back:
        raise SystemExit(1)


@app.command()
def verify(
    marts: Annotated[list[str] | None, typer.Argument(help="Such as analytics.fct_runs; all if none is named.")] = None,
    *,
    sample: Annotated[int, typer.Option("--sample", help="How many groups of each mart to compute again, at random.", min=1)] = 50,
    full: Annotated[bool, typer.Option("--full", help="Compute everything again, instead of a sample.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Where something differs, recompute and publish everything.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compute marts again from raw, and compare them with what is published.

    A mart that differs is not published again until it has been repaired.
    """
    from dagster_project.commands.verifying import known_marts  # noqa: PLC0415

    databases = setup.find_databases()
    config = {"ops": {"verification": {"config": {"groups": None if full else sample, "marts": known_marts(marts or ())}}}}
    report = run("verify", databases, as_json, config)
    if repair and report.failed_checks:
        run("refresh", databases, as_json, {"ops": {"transformation": {"config": {"full": True}}}})
        report = run("verify", databases, as_json, config)
    if as_json:
        print_json(as_dict(report))
    else:
        show_verdict(report)
    if report.failed_checks:
        raise SystemExit(1)


@app.command()
def status(tenant: OfTenant = None, as_json: AsJson = False) -> None:
    """Show rows, lag behind the source and checks of every raw table."""
    from dagster_project.commands.status import system_statuses, tenant_status  # noqa: PLC0415

    databases = setup.find_databases()
    if tenant:
        found = tenant_status(databases, the_system(), tenant)
        systems = [found] if found else []
    else:
        systems = system_statuses(databases)
    if as_json:
        print_json([asdict(system) for system in systems])
        return
    if not systems:
        out.print("nothing has been synced yet; run `runmart sync`")
    for system in systems:
        show_system(system)


@app.command()
def explain(
    mart: Annotated[str, typer.Argument(help="Such as analytics.model_performance.")],
    key: Annotated[
        list[str],
        typer.Option("--key", metavar="COLUMN=VALUE", help="What names the row; repeat for more columns. An empty value is null."),
    ],
    column: Annotated[str | None, typer.Option("--column", metavar="COLUMN", help="Explain this column only.")] = None,
    rows: Annotated[int, typer.Option("--rows", help="How many rows to list of each source table.", min=0)] = 10,
    *,
    with_sql: Annotated[bool, typer.Option("--sql", help="Show the SQL of the mart too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the source rows behind a row of a mart, with a proof.

    The row is computed again from exactly these rows, and the first line says what came of it.
    """
    from dagster_project.commands.explaining import explanation_of  # noqa: PLC0415

    explanation = explanation_of(setup.find_databases(), mart, key, column, rows)
    if as_json:
        print_json({**asdict(explanation), "differing": explanation.differing})
    else:
        show_explanation(explanation, with_sql)
    if explanation.is_wrong:
        raise SystemExit(1)


@app.command()
def url(
    database: Annotated[str, typer.Argument(help="warehouse, analyst, or a system.")],
    tenant: OfTenant = None,
    url_format: Annotated[
        UrlFormat, typer.Option("--format", help="libpq: psql and psycopg; sqlalchemy: SQLAlchemy and pandas; jdbc: DBeaver and the like.")
    ] = UrlFormat.LIBPQ,
) -> None:
    """Print the URL of a database, for psql, notebooks and other tools."""
    databases = setup.find_databases()
    print(url_of_tenant(databases, the_system(), tenant, database, url_format) if tenant else url_of(databases, database, url_format))


@app.command()
def env() -> None:
    """Print the variables that dagster and dbt need.

    They work by themselves after: eval "$(runmart env)"
    """
    from dagster_project.resources.instance import environment  # noqa: PLC0415

    for name, value in environment(setup.find_databases()).items():
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
    databases = setup.find_databases()
    if databases.external_url(_BACKTESTS) is None:
        _migrate(databases)
    summary = track_backtest(databases.url(_BACKTESTS), backtest, experiment)
    if as_json:
        print_json({**asdict(summary), **backtest_as_dict(backtest)})
    else:
        show_import(summary)
