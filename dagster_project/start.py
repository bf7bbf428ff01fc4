"""What the scripts `runmart` and `runmart-dbt` start with.

Belongs here: handing over to the warm process of the home, if there is one, before anything is imported. Does not belong here: how that is
done (`warm`), and the commands (`cli`).
"""

import os
import sys
from pathlib import Path

from dagster_project.places import DBT_AHEAD_VARIABLE, DOTENV, HOME_VARIABLE, home_folder
from dagster_project.short_lived import ended_at_once
from dagster_project.warm.client import handed_over

RUNMART = "runmart"
DBT = "dbt"

# What was started ahead is sooner ready than what is started now.
_AHEAD_SECONDS = 60.0

# They start, end or change what the warm process lives on.
_BY_THEMSELVES = {"up", "down", "migrate", "demo"}


def main() -> None:
    """The script `runmart`."""
    with ended_at_once():
        if not _BY_THEMSELVES.intersection(sys.argv[1:2]):
            _hand_over(RUNMART)
        from dagster_project.cli import main as runmart  # noqa: PLC0415

        runmart()


def dbt() -> None:
    """The script `runmart-dbt`, which is dbt: in the process that its run has started ahead for it, or in the warm process of the home."""
    with ended_at_once():
        ahead = os.environ.get(DBT_AHEAD_VARIABLE)
        if ahead:
            _end_with(handed_over(Path(ahead), DBT, sys.argv, os.environ, _AHEAD_SECONDS))
        _hand_over(DBT)
        from dbt.cli.main import cli  # noqa: PLC0415

        cli()


def _hand_over(program: str) -> None:
    """End with the exit code of the warm process, if that does the work."""
    home = _home()
    _end_with(handed_over(home, program, sys.argv, os.environ) if home else None)


def _end_with(code: int | None) -> None:
    if code is not None:
        raise SystemExit(code)


def _home() -> Path | None:
    """The home as `Settings` finds it; None where only `Settings` can tell what is wrong with it."""
    given = os.environ.get(HOME_VARIABLE)
    if given is None and DOTENV.exists():
        # Only who has such a file waits for the import.
        from dotenv import dotenv_values  # noqa: PLC0415

        given = dotenv_values(DOTENV).get(HOME_VARIABLE)
    try:
        return home_folder(given)
    except RuntimeError:
        return None
