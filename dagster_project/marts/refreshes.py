"""What the published marts reflect, and whether a refresh has anything to do.

Belongs here: reading `ops.refreshes` and `ops.published_marts`. Does not belong here: what a refresh does (`engine`), and whether the
project has changed (`definition`).
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from dagster_project.marts.definition import definition
from dagster_project.postgres.cursors import one_row

# Files that were read since, of which a mart tells, are due like what time alone changes.
_IS_DUE = "coalesce(next_due_at <= clock_timestamp(), false) or exists (select from quality.stored_files where found_at >= started_at)"

# The columns stand in the order of `Refresh`.
_COLUMNS = f"refresh_id, published_at, batches, is_full, marts, definition, {_IS_DUE}"

_LAST = f"select {_COLUMNS} from ops.refreshes where is_complete order by refresh_id desc limit 1"

# What stands as it was because its checks fail would fail again.
_PUBLISHED = f"""
select mart, {_COLUMNS}
from (
    select mart, coalesce(held.refresh_id, published.refresh_id) as refresh_id
    from ops.published_marts as published
    left join quality.held_marts as held using (mart)
) as looked_at
inner join ops.refreshes using (refresh_id)
where mart <> all(%s)
"""

_NO_LONGER_LEFT_OUT = "select from ops.refresh_under_way where not left_out <@ %s::text[]"

# A sync that changed no row is nothing new, but a system that was synced for the first time is.
_CURRENT = """
select
    coalesce(jsonb_object_agg(state.system, state.batch_id), '{}'),
    coalesce(bool_or(not %(batches)s::jsonb ? state.system), false) or exists (
        select
        from ops.table_changes as change
        inner join ops.batches as batch using (batch_id)
        where
            batch.committed_at is not null
            and change.batch_id > coalesce((%(batches)s::jsonb ->> change.system)::bigint, 0)
            and change.rows_changed > 0
    )
from ops.sync_state as state
"""


@dataclass(frozen=True)
class Refresh:
    """A refresh whose marts are published.

    Attributes:
        refresh_id: Its number.
        published_at: When analysts began to see it.
        batches: The last batch of each system that it reflects.
        is_full: Whether everything was recomputed.
        rows: Rows inserted and deleted by mart; a row that changed counts as both.
        definition: Digest of the project that made them.
        is_due: Whether a mart has become out of date by the passing of time alone, or by a file that was read.
    """

    refresh_id: int
    published_at: datetime
    batches: Mapping[str, int]
    is_full: bool
    rows: Mapping[str, Mapping[str, int]]
    definition: str
    is_due: bool


def last_refresh(cursor: Cursor) -> Refresh | None:
    """The last refresh that published all marts that it had not left out; None before the first one."""
    cursor.execute(_LAST)
    row = cursor.fetchone()
    return Refresh(*row) if row else None


def nothing_new(cursor: Cursor, left_out: Collection[str] = ()) -> Refresh | None:
    """The published refresh if another one would find nothing to do: no changed row, no change of the project, no time that has come.

    Its batches are the last ones, which have brought nothing.

    Args:
        cursor: As the role that transforms.
        left_out: Models that it would not look at.
    """
    cursor.execute(_NO_LONGER_LEFT_OUT, (list(left_out),))
    if cursor.fetchone():
        return None
    cursor.execute(_PUBLISHED, (list(left_out),))
    published = {mart: Refresh(*refresh) for mart, *refresh in cursor.fetchall()}
    last, project = last_refresh(cursor), definition()
    if last is None or not published or any(each.is_due or each.definition != project for each in published.values()):
        return None
    known = [each.batches for each in published.values()]
    # Systems that not all of them know of are new to some.
    seen = {system: min(batches[system] for batches in known) for system in known[0] if all(system in batches for batches in known)}
    cursor.execute(_CURRENT, {"batches": json.dumps(seen)})
    batches, has_changes = one_row(cursor)
    return None if has_changes else replace(last, batches=batches)
