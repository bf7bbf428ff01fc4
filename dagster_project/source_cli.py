"""The `runmart source` commands: a source database becomes one of Runmart's systems.

Belongs here: names, options and what a person sees in the terminal. Does not belong here: the work itself (`scaffold/`,
`ingestion.slot`, `commands.source`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import psycopg2
import typer
from rich.table import Column, Table
from sqlalchemy import make_url

from dagster_project.commands.setup import find_databases, known_systems
from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import shared_contracts
from dagster_project.contracts.table import raw_schema
from dagster_project.ingestion import slot
from dagster_project.resources.databases import WAREHOUSE
from dagster_project.settings import PROJECT_ROOT, postgres_url, url_variable
from dagster_project.terminal import AsJson, help_if_alone, new_table, out, print_json
from dagster_project.words import counted, size

if TYPE_CHECKING:
    from dagster_project.commands.source import CaptureStatus
    from dagster_project.scaffold.drafting import Draft, Remark

System = Annotated[str, typer.Argument(help="The system.")]

source_app = typer.Typer(
    help="Make a system of a database of your own; make, drop and watch replication slots.",
    callback=help_if_alone,
    invoke_without_command=True,
)


@source_app.command()
def scaffold(
    url: Annotated[str, typer.Option(help="postgresql://user@host:5432/database; a password may come from ~/.pgpass or PGPASSWORD.")],
    system: Annotated[str, typer.Option(help="The one name of the new system: lower-case letters, digits, underscores.")],
    schema: Annotated[list[str] | None, typer.Option(help="Schema to read; repeat for more.", show_default="public")] = None,
    include: Annotated[list[str] | None, typer.Option(help="Table to take, all if none is named; repeat for more.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Table to leave out; repeat for more.")] = None,
) -> None:
    """Draft a system from a live database: contract, staging models, suites.

    Reads its catalog only, overwrites nothing.
    """
    from dagster_project.scaffold.catalog import read_catalog, reading  # noqa: PLC0415
    from dagster_project.scaffold.drafting import check_system_name, draft  # noqa: PLC0415
    from dagster_project.scaffold.files import refuse_existing, texts, write  # noqa: PLC0415
    from dagster_project.scaffold.raw_types import raw_types  # noqa: PLC0415

    checked_url, schemas = postgres_url("--url", url), list(dict.fromkeys(schema or ["public"]))
    check_system_name(system)
    refuse_existing(system, PROJECT_ROOT)
    with (
        closing(psycopg2.connect(find_databases().url(WAREHOUSE))) as warehouse,
        warehouse.cursor() as asking,
        reading(checked_url) as cursor,
    ):
        drafted = draft(system, read_catalog(cursor, schemas), schemas, include or (), exclude or ())
        files = texts(drafted, raw_types(cursor, asking, drafted))
    write(system, files, PROJECT_ROOT)
    _show_remarks("left out, as the contract says too", drafted.left_out)
    _show_remarks("read in doubt, as the contract says too", drafted.doubtful)
    _show_written(drafted, list(files))
    _show_next(system, checked_url)


@source_app.command()
def enable_cdc(system: System, as_json: AsJson = False) -> None:
    """Make the replication slot of a system.

    Its contract must say `capture: cdc`.
    """
    enabled = slot.enable(_contract(system), find_databases().url(system))
    if as_json:
        print_json(asdict(enabled))
        return
    out.print(f"{system}: the slot {enabled.slot.name} {'was made' if enabled.is_new else 'was there already'}")
    out.print(_tables(enabled.tables))
    out.print(f"next: runmart sync {system}, which reads by the horizon once more; the syncs after it read from the slot")


@source_app.command()
def disable_cdc(system: System, as_json: AsJson = False) -> None:
    """Drop the replication slot of a system.

    Its changes are found by the horizon again; nothing is read twice.
    """
    was_enabled = slot.disable(_contract(system), find_databases().url(system))
    if as_json:
        print_json({"was_enabled": was_enabled})
    elif was_enabled:
        out.print(f"{system}: slot and publication were dropped; say `capture: horizon` in its contract if this is for good")
    else:
        out.print(f"{system}: nothing to do, it has neither slot nor publication")


@source_app.command()
def status(
    system: Annotated[str | None, typer.Argument(help="The system; all if none is named.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Show how changes are found, and what slots hold back at the source."""
    from dagster_project.commands.source import capture_statuses  # noqa: PLC0415

    statuses = capture_statuses(find_databases(), known_systems([system] if system else ()))
    if as_json:
        print_json([asdict(one) for one in statuses])
        return
    out.print(_slots(statuses))
    for one in statuses:
        if one.tables:
            out.print(_tables(one.tables, f"{one.system}: "))
    for one in statuses:
        for warning in one.warnings:
            out.print("[yellow]warning:[/]", f"{one.system}: {warning}".replace("[", r"\["), soft_wrap=True)


def _show_remarks(title: str, remarks: "Sequence[Remark]") -> None:
    if remarks:
        out.print(title)
        out.print(_lines([(each.name, each.reason) for each in remarks]))


def _show_written(draft: "Draft", files: Sequence[Path]) -> None:
    tables = draft.contract.tables.values()
    columns, keys = sum(len(table.columns) for table in tables), sum(len(table.references) for table in tables)
    counts = Counter(path.parent for path in files)
    contents = (
        ", ".join((counted(len(tables), "table"), counted(columns, "column"), counted(keys, "foreign key"))),
        "the dbt sources, one staging model per table",
        "one suite per table",
    )
    out.print("written; read the contract, it is yours to edit")
    out.print(
        _lines([(f"{folder}/", f"{counted(counts[folder], 'file')}: {content}") for folder, content in zip(counts, contents, strict=True)])
    )


def _show_next(system: str, url: str) -> None:
    shown = make_url(url).render_as_string(hide_password=True)
    out.print("next, with the password in place of ***" if "***" in shown else "next")
    for command in (
        f"export {url_variable(system)}='{shown}'",
        f"runmart sync {system:<19}copies it into {raw_schema(system)} and checks it",
        "runmart status                  rows, age and checks of every raw table",
        f"runmart refresh                 builds staging.stg_{system}__* and the marts, once every system was synced",
    ):
        out.print(f"  {command}", markup=False, soft_wrap=True)


def _lines(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(Column(no_wrap=True), Column(), padding=(0, 2, 0, 0))
    for name, text in rows:
        table.add_row(f"  {name}".replace("[", r"\["), text.replace("[", r"\["))
    return table


def _contract(system: str) -> SystemContract:
    known_systems([system])
    return shared_contracts()[system]


def _slots(statuses: "list[CaptureStatus]") -> Table:
    table = new_table("system", "capture", "slot", "holds back", "dropped at", "source keeps", "log", "behind", justify="left")
    for one in statuses:
        kept = "no limit" if one.server_limit_bytes is None else size(one.server_limit_bytes)
        cells = ["-"] * 6
        if one.slot:
            held_back, behind = size(one.slot.retained_bytes), size(one.slot.lag_bytes)
            cells = [one.slot.name, held_back, size(one.limit_bytes), kept, one.slot.wal_status or "-", behind]
        table.add_row(one.system, one.capture, *cells)
    return table


def _tables(tables: Mapping[str, str | None], prefix: str = "") -> Table:
    table = new_table(f"{prefix}table", "changes come from", "because", justify="left")
    for name, reason in tables.items():
        table.add_row(name, "the horizon" if reason else "the slot", reason or "")
    return table
