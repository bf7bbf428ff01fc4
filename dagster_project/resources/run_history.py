"""How long Dagster remembers runs.

Belongs here: which runs, events and logs of steps nobody needs any more, and deleting them. Does not belong here: when that happens
(`defs.operations`), and what a run has done to data, which stays. Dagster deletes one run when it is told to, and knows nothing of limits;
what it keeps of checks it never deletes. So its own tables are asked, with SQL.
"""

from contextlib import closing
from dataclasses import dataclass

import dagster as dg
import psycopg2

from dagster_project.resources.databases import INSTANCE, Databases
from dagster_project.settings import Settings

# By asset its last materialization; by check its last execution, and the last that came to a verdict: all that is shown, and built upon. Of
# what tenants have, all this of each.
_STANDING = """
create temporary table standing on commit drop as
select run_id, id as event_id, cast(null as bigint) as execution_id
from event_logs
where id in (
    select max(id) from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION' and asset_key is not null
    group by asset_key, partition
)
union all
select run_id, evaluation_event_storage_id, id
from asset_check_executions
where id in (
    select max(id) from asset_check_executions group by asset_key, check_name, partition
    union all
    select max(id) from asset_check_executions where execution_status in ('SUCCEEDED', 'FAILED') group by asset_key, check_name, partition
)
"""

_FORGOTTEN = """
select run_id
from runs
where
    status in ('SUCCESS', 'FAILURE', 'CANCELED')
    and id <= coalesce((select id from runs order by id desc offset %(kept)s limit 1), 0)
    and run_id not in (select run_id from standing where run_id is not null)
"""

# What belongs to no run that there is, such as a verdict that was given back, and is older than the oldest of the newest runs.
_LEFT_BEHIND = """
delete from asset_check_executions
where run_id not in (select run_id from runs) and id not in (select execution_id from standing where execution_id is not null)
    and create_timestamp < (select create_timestamp from runs order by id desc offset %(last)s limit 1);

delete from event_logs
where run_id not in (select run_id from runs) and id not in (select event_id from standing where event_id is not null)
    and timestamp < (select create_timestamp from runs order by id desc offset %(last)s limit 1)
"""


@dataclass(frozen=True)
class RunHistory:
    """The runs of an instance.

    Attributes:
        url: Use this database of Dagster instead of the settings' one.
        kept: Keep so many runs instead of the settings' number.
    """

    url: str | None = None
    kept: int | None = None

    def forget(self, instance: dg.DagsterInstance) -> int:
        """Delete runs that have ended, but for the newest ones and those that say how an asset or a check stands; how many.

        Args:
            instance: The instance on that database, for what it keeps elsewhere: logs of steps, places in pools.
        """
        settings = Settings.from_environment()
        kept = self.kept or settings.kept_runs
        with closing(psycopg2.connect(self.url or Databases(settings).url(INSTANCE))) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute(_STANDING)
                cursor.execute(_FORGOTTEN, {"kept": kept})
                runs = [run_id for (run_id,) in cursor.fetchall()]
            for run_id in runs:
                instance.delete_run(run_id)
                instance.compute_log_manager.delete_logs(prefix=[run_id])
            with connection, connection.cursor() as cursor:
                cursor.execute(_STANDING)
                cursor.execute(_LEFT_BEHIND, {"last": kept - 1})
        return len(runs)
