"""What `runmart status` shows: per system and table, how far raw is behind and how the checks stand.

Belongs here: reading the operational tables. Does not belong here: drawing (`cli`).
"""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import psycopg2

from dagster_project.ingestion.errors import from_driver

_TABLES = """
select
    sync.system,
    sync.table_name,
    sync.source_rows,
    batch.batch_id,
    sync.synced_at,
    extract(epoch from clock_timestamp() - sync.synced_at)::bigint as age_seconds,
    coalesce(checks.passed, 0) as checks_passed,
    coalesce(checks.failed, 0) as checks_failed
from ops.sync_state as batch
inner join ops.table_syncs as sync using (system, batch_id)
left join lateral (
    select count(*) filter (where latest.is_success) as passed, count(*) filter (where not latest.is_success) as failed
    from (
        select distinct on (result.expectation) result.is_success
        from quality.validation_results as result
        where result.asset_key = sync.system || '/' || sync.table_name
        order by result.expectation asc, result.validated_at desc
    ) as latest
) as checks on true
order by sync.system, sync.table_name
"""


@dataclass(frozen=True)
class TableStatus:
    """One raw table: rows, the batch that it stands at, when that was, and its latest checks."""

    system: str
    table: str
    rows: int
    batch_id: int
    synced_at: datetime
    age_seconds: int
    checks_passed: int
    checks_failed: int


def table_statuses(warehouse_url: str) -> list[TableStatus]:
    """Every raw table that has been synced, ordered by system and name.

    Raises:
        SyncError: The warehouse cannot be read; the message says why.
    """
    try:
        with closing(psycopg2.connect(warehouse_url)) as connection, connection.cursor() as cursor:
            cursor.execute(_TABLES)
            return [TableStatus(*row) for row in cursor.fetchall()]
    except psycopg2.Error as error:
        raise from_driver(error, "the warehouse") from error
