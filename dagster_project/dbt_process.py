"""A dbt that is started ahead of its run: `python -m dagster_project.dbt_process FOLDER TARGET`.

Belongs here: a warm process for dbt alone, which lives as long as its standard input is open. Does not belong here: who starts it
(`commands.ahead`), and what is done ahead (`dbt_runmart.starting`).
"""

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.short_lived import collect_garbage_rarely, ended_at_once
from dagster_project.start import DBT
from dagster_project.warm.forked import Forked
from dagster_project.warm.server import serve

if TYPE_CHECKING:
    from dbt_runmart.starting import Parsed


def main() -> None:
    """Wait in a folder for the dbt of one run."""
    folder, target = map(Path, sys.argv[1:])
    parsed: Parsed | None = None

    def prepare() -> None:
        nonlocal parsed
        parsed = _parsed(target)

    with ended_at_once():
        found = serve(folder, {DBT}, prepare=prepare, lifeline=sys.stdin.fileno())
        if isinstance(found, Forked):
            found.become_the_command()
            from dbt_runmart.starting import run  # noqa: PLC0415

            run(parsed)


def _parsed(target: Path) -> "Parsed | None":
    collect_garbage_rarely()
    from dagster_project.settings import DBT_PROJECT  # noqa: PLC0415
    from dbt_runmart.starting import parse_ahead  # noqa: PLC0415

    parsed = parse_ahead(DBT_PROJECT, target)
    gc.freeze()
    return parsed


if __name__ == "__main__":
    main()
