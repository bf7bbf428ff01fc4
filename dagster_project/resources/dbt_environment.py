"""What dbt has to find in its environment.

Belongs here: the variables that `dbt_project/profiles.yml` and macros read. Does not belong here: starting dbt (`dbt`), whose import takes
a second.
"""

import os

from sqlalchemy import make_url

from dagster_project.marts.definition import definition
from dagster_project.resources.manifest import DEFINITION
from dagster_project.resources.share import share_of
from dagster_project.warehouse import Warehouse


def dbt_environment(warehouse: Warehouse) -> dict[str, str]:
    """The variables that `profiles.yml`, macros and `dbt_runmart` read, for a warehouse."""
    url = make_url(warehouse.url)
    host = url.query.get("host", url.host) or "localhost"
    return {
        "RUNMART_DBT_HOST": host if isinstance(host, str) else host[0],
        "RUNMART_DBT_PORT": str(url.port or 5432),
        "RUNMART_DBT_USER": url.username or "",
        "RUNMART_DBT_PASSWORD": str(url.password or ""),
        "RUNMART_DBT_NAME": url.database or "",
        # What reads tables of others is left out.
        "RUNMART_DBT_SYSTEMS": " ".join(share_of(warehouse.namespace).contracts),
        # By this dbt sees that a system has come, see `dbt_project/macros/executions.sql`.
        DEFINITION: definition(),
        # A refresh asks the database for what it has to know; a list of all relations costs as much as a small one.
        "DBT_POPULATE_CACHE": "false",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        # The log of the step has what dbt says; a second one takes a tenth of its time, and one with details a third. Who looks for a
        # fault of dbt asks for it.
        "DBT_LOG_LEVEL_FILE": os.environ.get("DBT_LOG_LEVEL_FILE", "none"),
    }
