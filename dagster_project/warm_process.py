"""The warm process that `runmart up` keeps: `python -m dagster_project.warm_process`.

Belongs here: what it imports ahead, and the programs that its forks run. Does not belong here: forking (`warm`), and who asks for it
(`start`). What depends on the environment, the terminal or a connection must not be made ahead: it would be this process's own.
"""

import gc
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.places import HOME_VARIABLE, PROJECT_ROOT, home_folder
from dagster_project.short_lived import ended_at_once
from dagster_project.start import DBT, RUNMART
from dagster_project.warm.forked import Forked
from dagster_project.warm.project_state import State, project_state
from dagster_project.warm.server import Outcome, serve

if TYPE_CHECKING:
    from dbt_runmart.starting import Parsed

_POLL_SECONDS = 1.0


def main() -> None:
    """Be warm until told to end; whenever the project has changed, begin anew."""
    with ended_at_once():
        home = home_folder(os.environ.get(HOME_VARIABLE))
        # Looked at before anything is imported: what changes meanwhile is noticed.
        state = project_state(PROJECT_ROOT)
        try:
            parsed = import_ahead(home)
        except Exception:
            # The log says what is wrong; commands say it too.
            traceback.print_exc()
            _wait_for_change(state)
            _begin_anew()
        gc.collect()
        # What is there stays, and is shared with all forks as long as nobody touches it.
        gc.freeze()
        found = serve(home, {RUNMART, DBT}, lambda: _is_current(state))
        if isinstance(found, Forked):
            found.become_the_command()
            _run(found.request.program, parsed)
        elif found is Outcome.OUTDATED:
            _begin_anew()


def import_ahead(home: Path) -> "Parsed | None":
    """Import and load what runs need, but for what looks at the environment or the terminal meanwhile; gives what dbt has parsed."""
    import typer  # noqa: PLC0415, F401

    import dagster_project.commands.setup  # noqa: PLC0415
    import dagster_project.resources.news  # noqa: PLC0415, F401
    from dagster_project.commands.runs import loaded_definitions  # noqa: PLC0415
    from dagster_project.marts.definition import definition  # noqa: PLC0415
    from dagster_project.quality.rules import rule  # noqa: PLC0415
    from dagster_project.resources.manifest import DEFINITION  # noqa: PLC0415
    from dagster_project.resources.share import namespaces, share_of  # noqa: PLC0415
    from dagster_project.settings import DBT_PROJECT  # noqa: PLC0415
    from dagster_project.warehouse import Warehouse  # noqa: PLC0415
    from dbt_runmart.starting import compile_macros, parse_ahead  # noqa: PLC0415

    for share in map(share_of, namespaces()):
        _ = share.plan
        for suite in share.suites.values():
            for expectation in suite.expectations:
                rule(suite, expectation)
    # It is another one than at the start of `runmart up` if the project has changed since.
    os.environ[DEFINITION] = definition()
    if parsed := parse_ahead(DBT_PROJECT, Warehouse("", home).dbt_target):
        compile_macros(parsed)
    definitions = loaded_definitions()
    for job in definitions.jobs or ():
        # A run is recorded with a snapshot of its job.
        definitions.resolve_job_def(job.name).get_job_snapshot_id()
    # What dbt brings along lets every program print its log.
    logging.root.handlers.clear()
    return parsed


def _run(program: str, parsed: "Parsed | None") -> None:
    if program == RUNMART:
        from dagster_project.cli import main as runmart  # noqa: PLC0415

        runmart()
    else:
        from dbt_runmart.starting import run as dbt  # noqa: PLC0415

        dbt(parsed)


def _is_current(state: State) -> bool:
    try:
        return project_state(PROJECT_ROOT) == state
    except OSError:
        # A file has gone between two looks.
        return False


def _wait_for_change(state: State) -> None:
    while _is_current(state):
        time.sleep(_POLL_SECONDS)


def _begin_anew() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606


if __name__ == "__main__":
    main()
