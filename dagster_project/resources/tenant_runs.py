"""What Dagster knows of a tenant, and forgetting it.

Belongs here: its runs, materializations, results of checks and logs of steps, and where sensors and schedules name it. Does not
belong here: rows of warehouses. Dagster forgets a run when it is told to, and keeps the rest: so its own tables are asked, with SQL.
"""

import json
import re
from collections.abc import Collection
from contextlib import closing
from functools import partial

import dagster as dg
import psycopg2

from dagster_project.internals.dagster import PARTITION_TAG, change_cursors
from dagster_project.resources.databases import INSTANCE, Databases
from dagster_project.warehouse import Namespace

_OF_TENANT = "partition = %(tenant)s and asset_key like %(keys)s"

# Of each asset, what is known of its last materialization is written down once more.
_LAST = """
update asset_keys
set
    last_materialization = (
        select event from event_logs
        where event_logs.asset_key = asset_keys.asset_key and dagster_event_type = 'ASSET_MATERIALIZATION'
        order by id desc
        limit 1
    ),
    cached_status_data = null
where asset_key like %(keys)s
"""

_TAGS = "delete from asset_event_tags where event_id not in (select id from event_logs)"
_TICKS = "delete from job_ticks where tick_body ~ %(word)s"


def forget(instance: dg.DagsterInstance, databases: Databases, namespace: Namespace, tenant: str, columns: Collection[str]) -> int:
    """Forget a tenant whose databases are gone, but for its partition, by which it is still known; gives how many runs it had.

    Args:
        instance: The instance.
        databases: Where its tables are.
        namespace: That of the warehouses of tenants.
        tenant: The tenant.
        columns: Columns of the shared warehouse that name tenants: results of checks that show such a row are forgotten, too.
    """
    runs = instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: tenant}))
    own = [run.run_id for run in runs if run.job_name.startswith(namespace.label(""))]
    for run_id in own:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    word = rf"(^|[^\w-]){re.escape(tenant)}($|[^\w-])"
    parameters = {"tenant": tenant, "keys": f'["{namespace.name}"%', "word": word}
    with closing(psycopg2.connect(databases.url(INSTANCE))) as connection, connection, connection.cursor() as cursor:
        for table in ("asset_check_executions", "event_logs"):
            cursor.execute(f"delete from {table} where {_OF_TENANT}", parameters)
        for column in columns:
            shown = {"shown": f"%{json.dumps(column)}: {json.dumps(tenant)}%"}
            cursor.execute("delete from asset_check_executions where evaluation_event like %(shown)s", shown)
            cursor.execute("delete from event_logs where dagster_event_type = 'ASSET_CHECK_EVALUATION' and event like %(shown)s", shown)
        cursor.execute(_LAST, parameters)
        cursor.execute(_TAGS)
        cursor.execute(_TICKS, parameters)
    change_cursors(instance, partial(_without, re.compile(word)))
    return len(own)


def _without(word: re.Pattern[str], cursor: str) -> str:
    """What a sensor remembers, without the tenant: by name, of what it has told."""
    try:
        remembered = json.loads(cursor)
    except ValueError:
        return cursor
    if not isinstance(remembered, dict):
        return cursor
    return json.dumps({name: told for name, told in remembered.items() if not word.search(name)})
