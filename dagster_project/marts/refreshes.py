"""What the published marts reflect, whether a refresh has anything to do, and executing the publication that dbt has prepared.

Belongs here: reading `ops.refreshes` and `analytics_next.refresh`. Does not belong here: deciding what a refresh recomputes, and what its
publication does (`dbt_project/macros/refresh.sql`, `publish.sql`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg2.errors import RaiseException
from psycopg2.extensions import cursor as Cursor

from dagster_project.errors import RunmartError
from dagster_project.postgres.cursors import one_row
from dagster_project.settings import DBT_PROJECT

_PARTS = ("dbt_project.yml", "models", "macros", "tests")

# The columns stand in the order of `Refresh`.
_LAST = """
select refresh_id, published_at, batches, is_full, marts, project_files, coalesce(next_due_at <= clock_timestamp(), false)
from ops.refreshes
where is_complete
order by refresh_id desc
limit 1
"""

# A sync that changed no row is nothing new, but a system that was synced for the first time is.
_CURRENT = """
select
    coalesce(jsonb_object_agg(state.system, state.batch_id), '{}'),
    coalesce(bool_or(not %(batches)s::jsonb ? state.system), false) or exists (
        select
        from ops.table_syncs as sync
        inner join ops.batches as batch using (batch_id)
        where
            batch.committed_at is not null
            and sync.batch_id > coalesce((%(batches)s::jsonb ->> sync.system)::bigint, 0)
            and sync.rows_inserted + sync.rows_updated + sync.rows_deleted > 0
    )
from ops.sync_state as state
"""

_IS_UNPUBLISHED = """
select exists (
    select from analytics_next.refresh as candidate
    where not exists (select from ops.refreshes as r where r.is_complete and r.started_at = candidate.started_at)
)
"""


class NothingPublished(RunmartError):
    """The candidates cannot be published as they are; the message says why, and the way out."""


@dataclass(frozen=True)
class Refresh:
    """A refresh whose marts are published.

    Attributes:
        refresh_id: Its number.
        published_at: When analysts began to see it.
        batches: The last batch of each system that it reflects.
        is_full: Whether everything was recomputed.
        rows: Rows inserted and deleted by mart; a row that changed counts as both.
        project_files: Digest of the dbt project's files; None if dbt was started by hand.
        is_due: Whether a mart has become out of date by the passing of time alone.
    """

    refresh_id: int
    published_at: datetime
    batches: Mapping[str, int]
    is_full: bool
    rows: Mapping[str, Mapping[str, int]]
    project_files: str | None
    is_due: bool


def last_refresh(cursor: Cursor) -> Refresh | None:
    """The last refresh that published all marts; None before the first one."""
    cursor.execute(_LAST)
    row = cursor.fetchone()
    return Refresh(*row) if row else None


def nothing_new(cursor: Cursor) -> Refresh | None:
    """The published refresh if another one would find nothing to do: no changed row, no change of the project, no time that has come.

    Its batches are the last ones, which have brought nothing.
    """
    last = last_refresh(cursor)
    if last is None or last.is_due or last.project_files != project_files():
        return None
    cursor.execute(_CURRENT, {"batches": json.dumps(dict(last.batches))})
    batches, has_changes = one_row(cursor)
    return None if has_changes else replace(last, batches=batches)


def is_unpublished(cursor: Cursor) -> bool:
    """Whether the candidates belong to a refresh that has not been published in full."""
    cursor.execute("select to_regclass('analytics_next.refresh') is not null")
    if one_row(cursor) == (False,):
        return False
    cursor.execute(_IS_UNPUBLISHED)
    return bool(one_row(cursor)[0])


def was_overtaken(cursor: Cursor) -> bool:
    """Whether a sync was committed while the candidates were built, so that some of them may have read it and others not."""
    cursor.execute("select not is_whole from analytics_next.refresh")
    return bool(one_row(cursor)[0])


def publish(cursor: Cursor) -> None:
    """Execute, in the transaction of the cursor, the publication that the last build has prepared.

    Raises:
        NothingPublished: The build did not end well, or the publication itself refuses.
    """
    cursor.execute("select publication from analytics_next.refresh")
    (statements,) = one_row(cursor)
    if statements is None:
        raise NothingPublished("Nothing is published: the last build failed, or did not end. Run `runmart refresh` again.")
    try:
        cursor.execute(statements)
    except RaiseException as error:
        raise NothingPublished(str(error.diag.message_primary)) from error


def project_files() -> str:
    """Digest of all files of the dbt project that decide what marts hold."""
    digest = hashlib.sha256()
    for part in _PARTS:
        path = DBT_PROJECT / part
        for file in sorted(path.rglob("*") if path.is_dir() else [path]):
            if file.is_file():
                digest.update(file.relative_to(DBT_PROJECT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
