"""Handing over the warehouse of a tenant.

Belongs here: writing it to one file, from which PostgreSQL's own `pg_restore` makes a database on any server. Does not belong here: what is
in the warehouse.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from dagster_project.errors import RunmartError
from dagster_project.resources.databases import Databases
from dagster_project.resources.tenants import known_warehouse
from dagster_project.settings import ConfigurationError


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        file: The dump.
        megabytes: Its size.
    """

    file: Path
    megabytes: float


def export_tenant(databases: Databases, system: str, name: str, folder: Path) -> Export:
    """Write the warehouse of a tenant, as it is at one moment, to `<folder>/<tenant>.dump`.

    Raises:
        ConfigurationError: There is no such tenant, or the file is there already.
        RunmartError: The dump could not be written; what pg_dump says is the message.
    """
    warehouse = known_warehouse(databases, system, name)
    file = folder / f"{name}.dump"
    if file.exists():
        raise ConfigurationError(f"{file} is there already; name another folder, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    options = ["--format=custom", f"--file={unfinished}"]
    command = [str(databases.server.program("pg_dump")), *options, warehouse.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        unfinished.unlink(missing_ok=True)
        raise RunmartError(f"pg_dump could not write {file}: {' '.join(done.stderr.split())}")
    unfinished.replace(file)
    return Export(file, round(file.stat().st_size / 1e6, 1))
