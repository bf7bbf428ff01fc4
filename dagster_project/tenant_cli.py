"""The `runmart tenant` commands: who the tenants are, adding and removing them, handing over what is theirs.

Belongs here: names, options and what a person sees in the terminal. Does not belong here: the work (`commands/`).
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.commands import setup
from dagster_project.job_runs import say
from dagster_project.resources.tenants import the_system
from dagster_project.terminal import AsJson, err, help_if_alone, new_table, out, print_json
from dagster_project.words import counted

tenant_app = typer.Typer(help="Customers with a database and a warehouse of their own.", invoke_without_command=True)

Name = Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")]


@tenant_app.callback()
def _tenant(context: typer.Context) -> None:
    help_if_alone(context)


@tenant_app.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """Show the tenants, and when their marts were last published."""
    from dagster_project.commands.tenant_list import tenant_statuses  # noqa: PLC0415

    found = tenant_statuses(setup.find_databases(), the_system())
    if as_json:
        print_json([asdict(tenant) for tenant in found])
        return
    if not found:
        out.print("there are no tenants; `runmart tenant add` adds one")
        return
    table = new_table("tenant", "name", "active", "published", "", justify="left")
    for tenant in found:
        published = f"{tenant.published_at:%Y-%m-%d %H:%M} UTC" if tenant.published_at else "never"
        table.add_row(tenant.tenant, tenant.title, "yes" if tenant.is_active else "no", published, tenant.note or "")
    out.print(table)


@tenant_app.command()
def add(
    tenant: Name,
    name: Annotated[str | None, typer.Option("--name", help="What people call it; its id if not said.")] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="URL of its database; without one, it gets a database on the embedded server.")
    ] = None,
) -> None:
    """Add a tenant: list it, and make its warehouse."""
    from dagster_project.commands.tenant_list import add_tenant  # noqa: PLC0415

    system = the_system()
    for line in add_tenant(setup.find_databases(), system, tenant, name, url):
        err.print("[yellow]warning:[/]", line.replace("[", r"\["))
    out.print(f"added {tenant}; `runmart sync {system} --tenant {tenant}` brings its warehouse up to date")


@tenant_app.command()
def remove(
    tenant: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a tenant: its warehouse, what it has handed over, its runs; and its source, if that is on the embedded server."""
    from dagster_project.commands.tenant_removal import remove_tenant  # noqa: PLC0415

    if not yes:
        typer.confirm(
            f"Remove all that there is of {tenant}? `runmart tenant export {tenant} DIR` writes it to a file first", abort=True, err=True
        )
    removal = remove_tenant(setup.find_databases(), the_system(), tenant, lambda line: say(line, as_json))
    if as_json:
        print_json(asdict(removal))
    else:
        databases = ", ".join(removal.databases) or "no database"
        out.print(f"removed {tenant}: {databases}, {counted(removal.runs, 'run')}")


@tenant_app.command()
def export(tenant: Name, folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the file.", file_okay=False)]) -> None:
    """Write the warehouse of a tenant to a file, from which pg_restore makes a database on another server."""
    from dagster_project.commands.tenant_export import export_tenant  # noqa: PLC0415

    written = export_tenant(setup.find_databases(), the_system(), tenant, folder)
    out.print(f"wrote {written.file}, {written.megabytes:g} MB; to restore it on another server:")
    out.print(f"  createdb NAME && pg_restore --no-owner --no-privileges --dbname NAME {written.file}", soft_wrap=True)
