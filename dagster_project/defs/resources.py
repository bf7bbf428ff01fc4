"""The resources that every run gets.

Belongs here: their names. Does not belong here: how they work (`resources/`).
"""

import dagster as dg

from dagster_project.resources.alerts import Alerts
from dagster_project.resources.dbt import Dbt
from dagster_project.resources.manifest import DBT_EXECUTABLE
from dagster_project.resources.warehouse import Sources, Warehouse
from dagster_project.settings import DBT_PROJECT


@dg.definitions
def resources() -> dg.Definitions:
    """Real databases, real dbt."""
    warehouse = Warehouse()
    dbt = Dbt(project_dir=str(DBT_PROJECT), profiles_dir=str(DBT_PROJECT), dbt_executable=DBT_EXECUTABLE, warehouse=warehouse)
    return dg.Definitions(resources={"warehouse": warehouse, "sources": Sources(), "dbt": dbt, "alerts": Alerts()})
