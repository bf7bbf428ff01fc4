"""The ledger of failing rows, quality.failing_rows: each with when it was first and last seen, and when it was mended.

Belongs here: bringing the ledger to what a check has found, and reading it. Does not belong here: finding failing rows (`compiling`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor

from dagster_project.postgres.cursors import one_row
from dagster_project.quality.compiling import FOUND, document

_NUMBERED = f"""
select check_name, key, observed, row_number() over (partition by check_name, key order by cast(observed as text)) as copy
from {FOUND}
"""

_RESOLVE = """
with numbered as ({numbered})

update quality.failing_rows as failing
set resolved_at = transaction_timestamp()
where
    asset_key = %(asset)s
    and check_name = any(%(checks)s)
    and resolved_at is null
    and {is_judged}
    and not exists (
        select from numbered
        where numbered.check_name = failing.check_name and numbered.key = failing.key and numbered.copy = failing.copy
    )
"""

_SEE = f"""
with numbered as ({_NUMBERED}), seen as (
    update quality.failing_rows as failing
    set last_seen_at = transaction_timestamp(), observed = numbered.observed
    from numbered
    where
        asset_key = %(asset)s
        and resolved_at is null
        and numbered.check_name = failing.check_name
        and numbered.key = failing.key
        and numbered.copy = failing.copy
    returning failing.check_name, failing.key, failing.copy
)

insert into quality.failing_rows (asset_key, check_name, key, copy, observed, batch_id, first_seen_at, last_seen_at)
select %(asset)s, check_name, key, copy, observed, %(batch_id)s, transaction_timestamp(), transaction_timestamp()
from numbered
where (check_name, key, copy) not in (select check_name, key, copy from seen)
"""

# Statistics of the ledger may know of few of its rows, and there are none of what was found: each would be compared with each.
_HASH = "set local enable_nestloop = off"
_JOIN_AS_USUAL = "reset enable_nestloop"

_JUDGED = "pg_temp.judged"

_OPEN = "select check_name, count(*) from quality.failing_rows where asset_key = %s and resolved_at is null group by check_name"

# The columns stand in the order of `FailingRow`.
_FAILING = """
select observed, batch_id, first_seen_at at time zone 'UTC', last_seen_at at time zone 'UTC'
from quality.failing_rows
where asset_key = %s and check_name = %s and resolved_at is null
order by key, copy
limit %s
"""


@dataclass(frozen=True)
class FailingRow:
    """A row that fails a check.

    Attributes:
        observed: Its key, and the values at fault.
        batch_id: The batch that brought the failure.
        first_seen_at: When it was first found, in UTC.
        last_seen_at: When it was last looked at, in UTC.
    """

    observed: dict[str, Any]
    batch_id: int | None
    first_seen_at: datetime
    last_seen_at: datetime


def known(asset: str, check: str) -> str:
    """A query of what a check has found until now: `key` by `key`."""
    return f"select key from quality.failing_rows where asset_key = '{asset}' and check_name = '{check}' and resolved_at is null"


def open_rows(cursor: Cursor, asset: str) -> dict[str, int]:
    """By check that has some, how many rows fail it."""
    cursor.execute(_OPEN, (asset,))
    return dict(cursor.fetchall())


def keep(cursor: Cursor, asset: str, answered: Mapping[str, str | None], key: Collection[str], batch_id: int | None) -> dict[str, int]:
    """Bring the ledger to what was found; gives the rows that fail, see `open_rows`.

    Args:
        cursor: In the transaction in which it was found.
        asset: Key of the asset.
        answered: By check that was asked, and answered, a query of the keys of all rows that it has judged; None if these are all rows.
        key: Columns that identify a row of the asset.
        batch_id: The last batch that the rows reflect.
    """
    failing = open_rows(cursor, asset)
    cursor.execute(f"select exists (select from {FOUND})")
    (is_found,) = one_row(cursor)
    if not is_found and not failing:
        return {}
    judged: dict[str | None, list[str]] = {}
    for check, keys in answered.items():
        if check in failing:
            judged.setdefault(keys, []).append(check)
    for rows, checks in judged.items():
        if rows:
            cursor.execute(f"create temporary table {_JUDGED} as select {document(key, 'judged')} as key from ({rows}) as judged")
        is_judged = f"failing.key in (select key from {_JUDGED})" if rows else "true"
        cursor.execute(_HASH)
        cursor.execute(_RESOLVE.format(numbered=_NUMBERED, is_judged=is_judged), {"asset": asset, "checks": checks})
        cursor.execute(f"{_JOIN_AS_USUAL}; drop table if exists {_JUDGED}")
    if is_found:
        cursor.execute(_HASH)
        cursor.execute(_SEE, {"asset": asset, "batch_id": batch_id})
        cursor.execute(_JOIN_AS_USUAL)
    return open_rows(cursor, asset)


def failing_rows(cursor: Cursor, asset: str, check: str, most: int | None) -> list[FailingRow]:
    """The first of the rows that fail a check; all of them if `most` is None."""
    cursor.execute(_FAILING, (asset, check, most))
    return [FailingRow(*row) for row in cursor.fetchall()]
