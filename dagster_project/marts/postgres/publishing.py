"""Publishing: the one step after which analysts see a refresh.

Belongs here: the statements of one transaction that bring published marts to the rows of their candidates. Does not belong here: whether
they may be published (`engine`), and what is kept of earlier rows (`histories`).

Rows that differ are deleted and inserted, so that readers neither wait nor see a mixture, nothing that users built on a published mart is
dropped, and the cost is that of the change.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from dagster_project.errors import RunmartError
from dagster_project.marts.lineage import MART, Model
from dagster_project.marts.plan import HISTORY, VIEW, Plan
from dagster_project.marts.postgres.candidates import changes_of, image_of, is_group_of, is_in_touched_group
from dagster_project.marts.postgres.histories import begin_versions, end_versions, forget_versions, index_versions
from dagster_project.marts.postgres.names import columns, literal, quoted, relation
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.roles import ANALYST
from dagster_project.postgres.schemas import CANDIDATES, PUBLISHED

# What changes the columns of a published table, or a published view, waits for readers only so long.
_GIVE_UP_SOON = "set local lock_timeout = '5s'"

_COLUMNS = """
select schema.nspname, class.relname, column_.attname, format_type(column_.atttypid, column_.atttypmod)
from pg_namespace as schema
inner join pg_class as class on class.relnamespace = schema.oid
inner join pg_attribute as column_ on column_.attrelid = class.oid
where
    schema.nspname = any(%(schemas)s)
    and class.relname = any(%(names)s)
    and class.relkind in ('r', 'v')
    and column_.attnum > 0
    and not column_.attisdropped
order by class.oid, column_.attnum
"""


class ShapeChanged(RunmartError):
    """A published mart would lose a column; the message names the mart, the columns and the way out."""


@dataclass(frozen=True)
class Shape:
    """Columns and their types, in order."""

    columns: Mapping[str, str]

    def departed(self, candidate: "Shape") -> list[str]:
        """Columns that a candidate does not have as they are here."""
        return [name for name, kind in self.columns.items() if candidate.columns.get(name) != kind]


def shapes(cursor: Cursor, models: Sequence[Model]) -> dict[tuple[str, str], Shape]:
    """The shapes of candidates and published marts that there are, by schema and name."""
    schemas = [CANDIDATES, *{model.schema for model in models}]
    cursor.execute(_COLUMNS, {"schemas": schemas, "names": [model.name for model in models]})
    found: dict[tuple[str, str], dict[str, str]] = {}
    for schema, name, column, kind in cursor.fetchall():
        found.setdefault((schema, name), {})[column] = kind
    return {relation_: Shape(listed) for relation_, listed in found.items()}


@dataclass(frozen=True)
class Publishing:
    """One publication.

    Attributes:
        plan: Of all marts.
        is_full: Whether every row was recomputed.
        is_forced: Whether a person asked for that, and so for changes of columns.
        known: Shapes of what there is, see `shapes`.
    """

    plan: Plan
    is_full: bool
    is_forced: bool
    known: Mapping[tuple[str, str], Shape]

    def shape(self, model: Model) -> Iterator[str]:
        """Statements that give the published table the columns of its candidate.

        Raises:
            ShapeChanged: It would lose some, and nobody asked for that.
        """
        candidate, published = self.known[CANDIDATES, model.name], self.known.get((model.schema, model.name))
        if published is None:
            yield from self._create(model)
            return
        departed = published.departed(candidate)
        if departed and not self.is_forced:
            raise ShapeChanged(
                f"mart {model.name} is not published: its candidate no longer has {', '.join(departed)} as published. Restore the column, "
                f"or accept the change with `runmart refresh --full`, which drops it from {model.schema}.{model.name} unless a view of a "
                "user needs it."
            )
        arrived = [name for name in candidate.columns if name not in published.columns or name in departed]
        if departed or arrived:
            yield _GIVE_UP_SOON
        for name in departed:
            yield f"alter table {_published(model)} drop column {quoted(name)}"
        for name in arrived:
            yield f"alter table {_published(model)} add column {quoted(name)} {candidate.columns[name]}"

    def _create(self, model: Model) -> Iterator[str]:
        like = f"{relation(CANDIDATES, changes_of(model.name))} including all" if model.kind == MART else relation(CANDIDATES, model.name)
        yield f"create table {_published(model)} (like {like})"
        group = self.plan.group_columns(model.name)
        for index in (*([{"columns": group}] if group else []), *model.indexes):
            yield (
                f"create {'unique ' if index.get('unique') else ''}index on {_published(model)} ({columns(index['columns'])})"
                + (f" where {index['where']}" if index.get("where") else "")
            )
        yield from _granted(model)

    def write(self, model: Model, history: Model | None) -> str:
        """One statement that deletes and inserts the rows that differ, with their versions; takes `published_at`.

        It returns the numbers of rows inserted and deleted.
        """
        listed = [*self.known[CANDIDATES, model.name].columns]
        mart, changes, batch = _published(model), relation(CANDIDATES, changes_of(model.name)), quoted("source_batch_id")
        is_recomputed = "true" if self.is_full or model.is_whole else is_in_touched_group(self.plan, model.name, "published")
        has_groups = not model.is_whole and not self.is_full
        written = ", ".join(
            f"coalesce(touched.batch_id, recomputed.{batch})" if name == "source_batch_id" and has_groups else f"recomputed.{quoted(name)}"
            for name in listed
        )
        touched = f"left join {relation(CANDIDATES, self.plan.touched_of(model.name))} as touched on " if has_groups else ""
        touched += f"{is_group_of(self.plan, model.name, 'recomputed')}\n" if has_groups else ""
        # Materialized, so that rows are printed once, and the planner does not look up the statistics of every column.
        parts = {
            "published as materialized": f"select published.ctid as _place, {image_of(listed, 'published')} as _image\n"
            f"from {mart} as published\nwhere {is_recomputed}",
            "recomputed as materialized": f"select *, {image_of(listed)} as _image\nfrom {changes}",
            "deleted as": f"delete from {mart}\nwhere ctid in (\nselect _place from published\n"
            "where not exists (select from recomputed where recomputed._image = published._image)\n)\nreturning *",
        }
        parts["gone as"] = "select count(*) as number from deleted"
        parts["inserted as"] = (
            f"insert into {mart} ({columns(listed)})\nselect {written}\nfrom recomputed\ncross join gone\n{touched}"
            "where not exists (select from published where published._image = recomputed._image)\nreturning *"
        )
        if history:
            parts["ended as"] = end_versions(history, "deleted", "inserted")
            parts["begun as"] = begin_versions(history, "inserted")
        definitions = ",\n".join(f"{name} (\n{query}\n)" for name, query in parts.items())
        return f"with {definitions}\nselect (select count(*) from inserted), (select number from gone)"

    def keep(self, history: Model, days: int | None) -> Iterator[str]:
        """Statements that begin a history which has not been published yet, and forget old versions; take `published_at` and `days`."""
        if self._is_set_up(history):
            yield index_versions(history)
            # Until now there was nothing to show.
            candidate = relation(CANDIDATES, history.name)
            yield f"create or replace view {candidate} as select {columns(history.columns)} from {_published(history)}"
        if (history.schema, history.name) not in self.known and history.history_of:
            yield begin_versions(history, relation(history.schema, history.history_of))
        if days is not None:
            yield forget_versions(history)

    def view(self, cursor: Cursor, model: Model) -> Iterator[str]:
        """Statements that publish a view, if its definition has changed."""
        schemas = list(dict.fromkeys([model.schema, *(mart.schema for mart in self.plan.marts)]))
        wanted = _definition(cursor, relation(CANDIDATES, model.name), [CANDIDATES])
        is_published = (model.schema, model.name) in self.known
        if is_published and _definition(cursor, _published(model), schemas) == wanted:
            return
        if is_published:
            yield _GIVE_UP_SOON
        yield f"set local search_path = {columns(schemas)}"
        yield f"create or replace view {_published(model)} as {wanted}"
        if not is_published:
            yield from _granted(model)

    def _is_set_up(self, model: Model) -> bool:
        """Whether what goes with a published model is made: it is new, or a full refresh makes all as the project says."""
        return self.is_full or (model.schema, model.name) not in self.known

    def describe(self, model: Model) -> Iterator[str]:
        """Statements that comment what is new, or all after a full refresh."""
        if not self._is_set_up(model):
            return
        kind = "view" if model.kind == VIEW else "table"
        yield f"comment on {kind} {_published(model)} is {literal(model.description)}"
        for name, description in model.columns.items():
            yield f"comment on column {_published(model)}.{quoted(name)} is {literal(description)}"


def history_of(plan: Plan, mart: str) -> Model | None:
    """The history that is kept of a mart, if one is."""
    return next((history for history in plan.project.of_kind(HISTORY) if history.history_of == mart), None)


def _published(model: Model) -> str:
    return relation(model.schema, model.name)


def _granted(model: Model) -> Iterator[str]:
    if model.schema == PUBLISHED:
        yield f"grant usage on schema {model.schema} to {ANALYST}"
        yield f"grant select on {_published(model)} to {ANALYST}"


def _definition(cursor: Cursor, view: str, schemas: Sequence[str]) -> str:
    """A view's query as it reads where relations of these schemas need none."""
    cursor.execute(f"set local search_path = {columns(schemas)}")
    cursor.execute("select pg_get_viewdef(to_regclass(%s))", (view,))
    return str(one_row(cursor)[0])
