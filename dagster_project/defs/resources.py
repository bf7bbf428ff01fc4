"""The resources that every run gets.

Belongs here: their names. Does not belong here: how they work (`resources/`).
"""

import dagster as dg

from dagster_project.resources.alerts import Alerts
from dagster_project.resources.file_storage import FileStorage
from dagster_project.resources.run_history import RunHistory
from dagster_project.resources.warehouse import Sources, Warehouses


@dg.definitions
def resources() -> dg.Definitions:
    """Real databases, real receivers."""
    return dg.Definitions(
        resources={
            "warehouses": Warehouses(),
            "sources": Sources(),
            "file_storage": FileStorage(),
            "alerts": Alerts(),
            "run_history": RunHistory(),
        }
    )
