"""What the engine remembers between its steps: the refresh under way, the SQL of the last full one, and what is published.

Belongs here: reading and writing `ops.refresh_under_way`, `ops.built_models`, `ops.refreshes` and `ops.published_marts`. Does not belong
here: what follows from them (`engine`).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from dagster_project.marts.lineage import Table
from dagster_project.postgres.cursors import one_row

# Stands in kept SQL where it names the moment at which its refresh started.
STARTED_AT = "{refresh_started_at}"

# The columns stand in the order of `UnderWay`.
_UNDER_WAY = """
select started_at, definition, batches, is_full, is_forced, left_out, untouched, built, is_whole, failing
from ops.refresh_under_way
"""

_BEGIN = """
delete from ops.refresh_under_way;
insert into ops.refresh_under_way
(started_at, definition, batches, is_full, is_forced, left_out, untouched, relations)
values (%(started_at)s, %(definition)s, %(batches)s, %(is_full)s, %(is_forced)s, %(left_out)s, %(untouched)s, %(relations)s)
"""

_END = """
update ops.refresh_under_way
set
    built = (select coalesce(array_agg(distinct model), '{}') from unnest(built || %(built)s::text[]) as model),
    failing = (failing - %(built)s::text[]) || %(failing)s::jsonb,
    is_whole = batches = (select coalesce(jsonb_object_agg(system, batch_id), '{}') from ops.sync_state)
returning is_whole
"""

_WORK = """
select
    coalesce(%(at)s, clock_timestamp()),
    (select coalesce(jsonb_object_agg(system, batch_id), '{}') from ops.sync_state),
    (
        select coalesce(jsonb_object_agg(system, batch_id), '{}')
        from (select system, max(batch_id) as batch_id from ops.table_syncs where found_by like '%%first load%%' group by system) as loads
    )
"""

# The columns after the first stand in the order of `Published`.
_PUBLISHED = """
select published.mart, refresh_id, refresh.started_at, refresh.batches, refresh.definition
from ops.published_marts as published
inner join ops.refreshes as refresh using (refresh_id)
"""


@dataclass(frozen=True)
class Published:
    """The refresh that published a mart, a history or a view last.

    Attributes:
        refresh_id: Its number.
        started_at: When it started.
        batches: The last batch of each system that it reflects.
        definition: Digest of the project that it was of.
    """

    refresh_id: int
    started_at: datetime
    batches: Mapping[str, int]
    definition: str


@dataclass(frozen=True)
class Work:
    """What has happened since marts were published.

    Attributes:
        now: By the clock of the warehouse.
        batches: The last batch of each system.
        loads: The last batch of each system that loaded a raw table anew: nothing says which rows have gone of such a table.
        published: By mart, history and view, the refresh that published it last.
    """

    now: datetime
    batches: Mapping[str, int]
    loads: Mapping[str, int]
    published: Mapping[str, Published]

    def tells_what_differs(self, mart: str, definition: str) -> bool:
        """Whether what batches have touched tells which rows of a mart differ from what the project with this digest makes."""
        last = self.published.get(mart)
        if last is None or last.definition != definition or not self.batches.keys() <= last.batches.keys():
            return False
        return all(batch_id <= last.batches.get(system, 0) for system, batch_id in self.loads.items())


@dataclass(frozen=True)
class UnderWay:
    """The refresh that was begun last; see the comments of `ops.refresh_under_way`."""

    started_at: datetime
    definition: str
    batches: Mapping[str, int]
    is_full: bool
    is_forced: bool
    left_out: Sequence[str]
    untouched: Sequence[str]
    built: Sequence[str]
    is_whole: bool
    failing: Mapping[str, str]


def work_since_last(cursor: Cursor, at: datetime | None) -> Work:
    """What a refresh has to look at, at a moment, or now."""
    published = published_marts(cursor)
    cursor.execute(_WORK, {"at": at})
    now, batches, loads = one_row(cursor)
    return Work(now, batches, loads, published)


def published_marts(cursor: Cursor) -> dict[str, Published]:
    """By mart, history and view, the refresh that published it last."""
    cursor.execute(_PUBLISHED)
    return {mart: Published(*refresh) for mart, *refresh in cursor.fetchall()}


def write_begun(cursor: Cursor, work: Work, *, relations: Mapping[str, Any], **values: object) -> None:
    """Note that a refresh was begun."""
    documents = {"batches": json.dumps(work.batches), "relations": json.dumps(relations)}
    cursor.execute(_BEGIN, {"started_at": work.now, **documents, **values})


def write_built(cursor: Cursor, models: Collection[str], failing: Mapping[str, str]) -> bool:
    """Note what the refresh under way has built so far, and what of it fails; whether no sync was committed since it was begun."""
    cursor.execute(_END, {"built": list(models), "failing": json.dumps(dict(failing))})
    return bool(one_row(cursor)[0])


def under_way(cursor: Cursor) -> UnderWay | None:
    """The refresh that was begun last; None before the first."""
    cursor.execute(_UNDER_WAY)
    row = cursor.fetchone()
    return UnderWay(*row) if row else None


@dataclass(frozen=True)
class Built:
    """A model that a full refresh has built.

    Attributes:
        schema: Where it stands.
        name: Its name.
        kind: How it is materialized.
        sql: How it was made.
        reads: By raw table, as `<system>.<table>`, the columns that the SQL makes use of.
        looks_up: The relations that it reads only for rows of others, each as `<schema>.<name>`.
    """

    schema: str
    name: str
    kind: str
    sql: str
    reads: Mapping[str, Sequence[str]]
    looks_up: Sequence[str]


def keep_built(cursor: Cursor, definition: str, models: Sequence[Built]) -> None:
    """Keep the SQL of a full refresh, in place of that of earlier ones; what it has left out is kept as long as the project is the same."""
    cursor.execute("delete from ops.built_models where definition <> %s or name = any(%s)", (definition, [model.name for model in models]))
    columns = "schema_name, name, kind, definition, sql, reads, looks_up"
    rows = [
        (model.schema, model.name, model.kind, definition, model.sql, json.dumps(model.reads), list(model.looks_up)) for model in models
    ]
    execute_values(cursor, f"insert into ops.built_models ({columns}) values %s", rows)


def kept(cursor: Cursor, definition: str) -> dict[str, Built]:
    """By name, the models that a full refresh of the project with this digest has built; empty if none has."""
    cursor.execute("select schema_name, name, kind, sql, reads, looks_up from ops.built_models where definition = %s", (definition,))
    return {built.name: built for built in (Built(*row) for row in cursor.fetchall())}


def reads_of(models: Mapping[str, Built]) -> dict[str, dict[Table, Sequence[str]]] | None:
    """By model, the columns of raw tables of which its SQL makes use; None if nothing is known of any model."""
    found: dict[str, dict[Table, Sequence[str]]] = {}
    for name, built in models.items():
        named = ((table.partition("."), columns) for table, columns in built.reads.items())
        found[name] = {(system, table): columns for (system, _, table), columns in named}
    return found or None


def record_refresh(
    cursor: Cursor,
    refresh: UnderWay,
    *,
    published_at: datetime,
    is_complete: bool,
    next_due_at: datetime | None,
    written: Mapping[str, Any],
    published: Collection[str],
) -> int:
    """Write down, in the transaction that publishes, up to which batches marts go; gives the number of the refresh.

    Args:
        cursor: In that transaction.
        refresh: What is published.
        published_at: When.
        is_complete: Whether all marts are among it that were not left out.
        next_due_at: When one of them will be out of date by the passing of time alone.
        written: By mart, rows inserted and deleted.
        published: The marts, histories and views.
    """
    cursor.execute(
        "insert into ops.refreshes (started_at, published_at, definition, batches, is_full, is_complete, next_due_at, marts)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s) returning refresh_id",
        (
            refresh.started_at,
            published_at,
            refresh.definition,
            json.dumps(refresh.batches),
            refresh.is_full,
            is_complete,
            next_due_at,
            json.dumps(written),
        ),
    )
    (refresh_id,) = one_row(cursor)
    execute_values(
        cursor,
        "insert into ops.published_marts (mart, refresh_id) values %s on conflict (mart) do update set refresh_id = excluded.refresh_id",
        [(name, refresh_id) for name in published],
    )
    return int(refresh_id)


def keep_held(cursor: Cursor, refresh_id: int, held: Mapping[str, str], others: Collection[str]) -> None:
    """Write down, in the transaction that publishes, which marts, histories and views stand as they were.

    Args:
        cursor: In that transaction.
        refresh_id: The refresh.
        held: By name, why.
        others: Those that it has not looked at.
    """
    cursor.execute("delete from quality.held_marts where mart <> all(%s)", ([*held, *others],))
    execute_values(
        cursor,
        "insert into quality.held_marts (mart, refresh_id, reason) values %s "
        "on conflict (mart) do update set refresh_id = excluded.refresh_id, reason = excluded.reason",
        [(mart, refresh_id, reason) for mart, reason in held.items()],
    )


def is_published(cursor: Cursor) -> bool:
    """Whether the refresh that was begun last has been published, with all that it has not left out."""
    cursor.execute(
        "select not exists (select from ops.refresh_under_way as candidate where not exists ("
        "select from ops.refreshes as r where r.is_complete and r.started_at = candidate.started_at))"
    )
    return bool(one_row(cursor)[0])


def marked(query: str, started_at: datetime) -> str:
    """SQL with a mark where it names the moment at which its refresh started."""
    return query.replace(_printed(started_at), STARTED_AT)


def as_of(query: str, started_at: datetime) -> str:
    """SQL that is kept, as of the refresh that started at a moment."""
    return query.replace(STARTED_AT, _printed(started_at))


def _printed(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
