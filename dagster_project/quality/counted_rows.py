"""How many rows a raw table or a mart has, kept in quality.counted_rows so that nobody has to count them.

Belongs here: the number, counted or reckoned from what batches and refreshes have changed. Does not belong here: checks that use it.
"""

from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.raw_columns import IS_IN_QUARANTINE, IS_LIVE
from dagster_project.marts.lineage import MART
from dagster_project.marts.plan import Plan
from dagster_project.marts.postgres.candidates import changes_of, is_in_touched_group
from dagster_project.marts.postgres.names import relation
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.schemas import CANDIDATES
from dagster_project.quality.suites import Suite
from dagster_project.quality.verdicts import Standing

_OF_RAW = """
select
    counted.rows + coalesce(sum(sync.rows_inserted - sync.rows_deleted), 0),
    coalesce(bool_or(sync.found_by like '%%first load%%'), false)
from quality.counted_rows as counted
left join ops.table_syncs as sync on sync.system = %(system)s and sync.table_name = %(table)s and sync.batch_id > counted.batch_id
where counted.asset_key = %(asset)s and counted.batch_id is not null
group by counted.rows
"""

_OF_MART = "select rows from quality.counted_rows where asset_key = %s and refresh_started_at = %s"

_KEEP = """
insert into quality.counted_rows as counted_rows (asset_key, batch_id, refresh_started_at, rows) values (%s, %s, %s, %s)
on conflict (asset_key) do update
set batch_id = excluded.batch_id, refresh_started_at = excluded.refresh_started_at, rows = excluded.rows
where (counted_rows.batch_id, counted_rows.refresh_started_at, counted_rows.rows)
    is distinct from (excluded.batch_id, excluded.refresh_started_at, excluded.rows)
"""


def of_raw(cursor: Cursor, system: str, table: str) -> int | None:
    """How many live rows a raw table has, by what batches have brought since it was counted; None if that does not tell."""
    cursor.execute(_OF_RAW, {"system": system, "table": table, "asset": f"{system}.{table}"})
    found = cursor.fetchone()
    return int(found[0]) if found and not found[1] else None


def of_read(cursor: Cursor, contract: SystemContract, table: str) -> int | None:
    """How many of these rows marts read; None if that is not known."""
    rows = of_raw(cursor, contract.system, table)
    if rows is None:
        return None
    cursor.execute(f"select count(*) from {relation(contract.raw_schema, table)} where {IS_LIVE} and {IS_IN_QUARANTINE}")
    return rows - int(one_row(cursor)[0])


def of_mart(cursor: Cursor, suite: Suite, plan: Plan, standing: Standing) -> int | None:
    """How many rows a mart will have, by those of touched groups; None if what is published of it was not counted."""
    cursor.execute(_OF_MART, (suite.name, standing.refresh_started_at))
    if found := cursor.fetchone():
        return int(found[0])
    model = plan.project.models[suite.table]
    cursor.execute(_OF_MART, (suite.name, standing.published_at))
    found = cursor.fetchone()
    if found is None or standing.is_full or model.is_whole or model.kind != MART:
        return None
    is_touched = is_in_touched_group(plan, model.name, "published")
    cursor.execute(
        f"select (select count(*) from {relation(CANDIDATES, changes_of(model.name))})"
        f" - (select count(*) from {relation(model.schema, model.name)} as published where {is_touched})"
    )
    return int(found[0]) + int(one_row(cursor)[0])


def last(cursor: Cursor, suite: Suite) -> int | None:
    """How many rows there were when they were counted last; None if they never were."""
    cursor.execute("select rows from quality.counted_rows where asset_key = %s", (suite.name,))
    found = cursor.fetchone()
    return int(found[0]) if found else None


def keep(cursor: Cursor, suite: Suite, standing: Standing, rows: int) -> None:
    """Write how many rows there are."""
    cursor.execute(_KEEP, (suite.name, standing.batch_id, standing.refresh_started_at, rows))
