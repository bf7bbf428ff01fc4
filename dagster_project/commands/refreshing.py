"""Asking the warehouse whether a refresh has anything to do.

Belongs here: connecting for the command. Does not belong here: what is asked (`marts.refreshes`) and how it is shown (`results`).
"""

from dagster_project.marts.held import held_marts, held_models, held_tables
from dagster_project.marts.refreshes import Refresh, nothing_new
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.resources.manifest import load_plan
from dagster_project.warehouse import Warehouse


def current_refresh(warehouse: Warehouse) -> Refresh | None:
    """The published refresh if another one would find nothing to do; a mart that fails its checks may pass them by now."""
    with warehouse.looking(TRANSFORM, "runmart refresh") as cursor:
        # A warehouse that is not migrated yet has nothing to refresh either; the run says so.
        cursor.execute("select to_regclass('quality.held_marts') is not null")
        if cursor.fetchall() != [(True,)]:
            return None
        if held_marts(cursor):
            return None
        held = held_tables(cursor)
        return nothing_new(cursor, held_models(load_plan(), held) if held else ())
