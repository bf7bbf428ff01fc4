"""The resources that every run gets.

Belongs here: their names. Does not belong here: how they work (`resources/`).
"""

import dagster as dg

from dagster_project.resources.alerts import Alerts
from dagster_project.resources.dbt import Dbt
from dagster_project.resources.warehouse import Sources, Warehouse


@dg.definitions
def resources() -> dg.Definitions:
    """Real databases, real dbt."""
    warehouse = Warehouse()
    return dg.Definitions(resources={"warehouse": warehouse, "sources": Sources(), "dbt": Dbt(warehouse=warehouse), "alerts": Alerts()})
