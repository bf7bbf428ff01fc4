"""The engine on PostgreSQL.

Belongs here: the order of steps, and their transactions. Does not belong here: the statements of each (`touching`, `narrowing`,
`publishing`, `histories`) and what is remembered between them (`state`).

A refresh writes nothing that analysts read until it publishes. One that is killed, or fails its checks, leaves nothing to repair: the next
one finds the same batches to do, and later ones.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts import raw_columns
from dagster_project.marts.engine import Begun, NothingPublished
from dagster_project.marts.held import held_marts, held_tables
from dagster_project.marts.lineage import MART, MartDeclarationError, Model, Table
from dagster_project.marts.plan import HISTORY, STEP, VIEW, Family, Plan, make_plan
from dagster_project.marts.postgres import state
from dagster_project.marts.postgres.candidates import candidate_query, changes_of, groups_query, making_touched, recomputed_query
from dagster_project.marts.postgres.following import making_followed, noting_touched
from dagster_project.marts.postgres.names import columns, in_utc, literal, quoted, relation
from dagster_project.marts.postgres.narrowing import Narrowing, Relation
from dagster_project.marts.postgres.publishing import Publishing, ShapeChanged, history_of, shapes
from dagster_project.marts.postgres.touching import touching
from dagster_project.marts.usage import Usage, looked_up, relations_read
from dagster_project.marts.verification import CHECK
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.schemas import CANDIDATES

# What small queries on indexes need, where raw tables may be large and touched groups are few.
PREFER_INDEXES = (
    "set local enable_sort = off; set local enable_incremental_sort = off; set local random_page_cost = 0.1; set local seq_page_cost = 0.1"
)
_CHANGES = ("inserted", "deleted")

# Nothing that a refresh builds must survive a crash before it is published.
_COMMIT_LAZILY = "set local synchronous_commit = off"
_HOLD_PUBLICATIONS = "lock table locks.publication in exclusive mode"
# What was found of a file before a refresh begins is there when it looks: who writes it down has committed, or says a later moment.
_AWAIT_RECORDS = "lock table quality.stored_files in share mode"

# Marts that have failed when they were held against raw last.
_DIFFERING = """
select string_agg(mart, ', ' order by mart)
from (
    select distinct on (asset_key) split_part(asset_key, '/', 2) as mart, is_success
    from quality.validation_results
    where expectation = %(check)s
    order by asset_key, validated_at desc
) as latest
where not is_success and mart = any(%(marts)s)
"""


class PostgresEngine:
    """Keeps marts in the warehouse that raw is in; see `marts.engine.Engine`."""

    def __init__(self, connection: Connection, plan: Plan, definition: str, history_days: int | None = None) -> None:
        """Take a warehouse.

        Args:
            connection: To the warehouse, as the role that transforms.
            plan: How its marts are refreshed.
            definition: Digest of the project that the plan is of.
            history_days: How long versions are kept that have ended; None for ever.
        """
        self._connection = connection
        self._plan = plan
        self._definition = definition
        self._history_days = history_days

    def begin(self, *, full: bool, marts: Collection[str] = (), left_out: Collection[str] = (), at: datetime | None = None) -> Begun:
        """See `Engine`."""
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(f"{_COMMIT_LAZILY}; {PREFER_INDEXES}; {_HOLD_PUBLICATIONS}; {_AWAIT_RECORDS}")
            work = state.work_since_last(cursor, at)
            models = state.kept(cursor, self._definition)
            kept = {name: built.sql for name, built in models.items()}
            self._plan = make_plan(self._plan.project, self._plan.contracts, state.reads_of(models))
            wanted = self._with_those_behind(marts) - {*left_out}
            is_full = full or not self._is_built(cursor, kept) or not self._can_go_on(work, wanted)
            building = {*wanted}
            if is_full:
                for schema in sorted({CANDIDATES, *(model.schema for model in self._plan.project.models.values())}):
                    cursor.execute(f"create schema if not exists {quoted(schema)}")
            else:
                before = state.under_way(cursor)
                if before is None or before.is_full or not self._is_prepared(cursor, kept):
                    self._prepare(cursor, kept)
                building = self._touch(cursor, work, wanted)
            state.write_begun(
                cursor,
                work,
                definition=self._definition,
                is_full=is_full,
                is_forced=full,
                left_out=list(left_out),
                untouched=sorted(name for name in wanted - building if not self._reads_records(name)),
                relations={} if is_full else self._relations(models, wanted),
            )
        return Begun(work.now, is_full, work.batches, building)

    def _can_go_on(self, work: state.Work, wanted: Collection[str]) -> bool:
        """Whether it can be known which rows of wanted marts differ."""
        marts = [mart.name for mart in self._plan.marts if mart.name in wanted]
        if not all(work.tells_what_differs(mart, self._definition) for mart in marts):
            return False
        # Of a mart that was published without its followers nothing tells any more which rows of it these have not seen.
        followed = (
            {*each.followed, *each.models}.intersection(work.published) for each in self._plan.followers if {*each.models} & {*marts}
        )
        return all(len({work.published[mart].refresh_id for mart in together}) == 1 for together in followed)

    def _with_those_behind(self, marts: Collection[str]) -> set[str]:
        """Marts, or all, and the models behind them."""
        return {model.name for mart in marts or self._plan.project.models for model in self._plan.project.read_by(mart)}

    def end(self, built: Mapping[str, str], failing: Mapping[str, str] | None = None) -> bool:
        """See `Engine`."""
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(_COMMIT_LAZILY)
            refresh = self._under_way(cursor)
            if refresh.is_full:
                queries = {name: state.marked(query, refresh.started_at) for name, query in built.items()}
                usage = Usage(self._views_behind(queries), self._known_columns())
                self._require_known(queries)
                self._require_apart(queries, usage)
                state.keep_built(cursor, self._definition, self._kept(queries, usage))
                # Which foreign keys the SQL makes use of is known from now on; the next refresh will go by these.
                make_plan(self._plan.project, self._plan.contracts, state.reads_of(state.kept(cursor, self._definition)))
            return state.write_built(cursor, built.keys(), failing or {})

    def _require_known(self, queries: Mapping[str, str]) -> None:
        """Refuse a model that reads what dbt's lineage does not know of: nobody would notice that it changes."""
        for name, query in queries.items():
            unknown = relations_read(query) - self._plan.relations_behind(name)
            if unknown:
                raise MartDeclarationError(
                    f"model {name} reads {', '.join(sorted(map('.'.join, unknown)))} by its name, so that nobody notices when it changes; "
                    "read it by `ref` or `source`"
                )

    def _require_apart(self, queries: Mapping[str, str], usage: Usage) -> None:
        """Refuse a mart or a step whose groups are not made each of its own rows: a row anywhere would change them all."""
        for family in self._plan.recomputed_together:
            for name in (name for name in family.models if name in queries):
                for part in usage.computed_of_all(queries[name])[:1]:
                    raise MartDeclarationError(
                        f"mart {family.name} is recomputed by rows of {family.group.of}, but {name} computes "
                        f"{part} of all rows at once, so that any change touches every group; say `group: whole`, or compute it by group"
                    )

    def _views_behind(self, queries: Mapping[str, str]) -> dict[Relation, str]:
        return {self._plan.relation_of(name): query for name, query in queries.items() if self._plan.project.models[name].kind != MART}

    def _known_columns(self) -> dict[Relation, tuple[str, ...]]:
        """Columns of raw tables and marts, which say what they are."""
        raw = {
            (contract.raw_schema, name): (*table.columns, *raw_columns.TYPES)
            for contract in self._plan.contracts.values()
            for name, table in contract.tables.items()
        }
        return raw | {self._plan.relation_of(mart.name): tuple(mart.columns) for mart in self._plan.marts}

    def _kept(self, queries: Mapping[str, str], usage: Usage) -> list[state.Built]:
        """What is kept of models that were built."""
        systems = {contract.raw_schema: contract.system for contract in self._plan.contracts.values()}
        kept = []
        for name, query in queries.items():
            kind = self._plan.project.models[name].kind
            used = usage.columns_used(query) if kind in (MART, STEP) else {}
            reads = {f"{systems[schema]}.{table}": sorted(columns) for (schema, table), columns in used.items() if schema in systems}
            looks_up = sorted(map(".".join, looked_up(query))) if kind in (MART, STEP) else ()
            kept.append(state.Built(*self._plan.relation_of(name), kind, query, reads, looks_up))
        return kept

    def is_published(self, failing: Mapping[str, str] | None = None) -> bool:
        """See `Engine`."""
        with self._connection, self._connection.cursor() as cursor:
            refresh = state.under_way(cursor)
            if refresh is None:
                return True
            return (
                state.is_published(cursor) and held_marts(cursor).keys() - {*refresh.left_out} == self._held(refresh, failing or {}).keys()
            )

    def _held(self, refresh: state.UnderWay, failing: Mapping[str, str]) -> dict[str, str]:
        """What stands as it was because these marts fail, or models when they were built, and why."""
        reasons = {**refresh.failing, **failing}
        return {
            name: "; ".join(f"{model} {reasons[model]}" for model in sorted(models))
            for name, models in self._plan.held_with(reasons).items()
            if name not in refresh.left_out
        }

    def publish(self, marts: Collection[str] = (), failing: Mapping[str, str] | None = None) -> int:
        """See `Engine`."""
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(_HOLD_PUBLICATIONS)
            refresh = self._under_way(cursor)
            known = self._plan.project.of_kind(MART, HISTORY, VIEW)
            for name in {*marts} - {model.name for model in known}:
                raise NothingPublished(f"there is no mart {name}; name models of dbt_project/models/marts")
            asked = self._plan.published_with(marts) if marts else known
            held = self._held(refresh, failing or {})
            standing = {*refresh.left_out, *held}
            wanted = [model for model in asked if model.name not in standing]
            if held and not wanted:
                raise NothingPublished(f"{'; '.join(sorted({*held.values()}))}. Mend the source or the model, then run `runmart refresh`.")
            self._require_fit(cursor, refresh, wanted)
            is_complete = {model.name for model in wanted} >= {model.name for model in known} - standing
            try:
                refresh_id = self._publish(cursor, refresh, wanted, is_complete=is_complete)
            except ShapeChanged as error:
                raise NothingPublished(str(error)) from error
            others = {model.name for model in known} - {model.name for model in asked} | {*refresh.left_out}
            state.keep_held(cursor, refresh_id, held, others)
        return refresh_id

    def _under_way(self, cursor: Cursor) -> state.UnderWay:
        refresh = state.under_way(cursor)
        if refresh is None or refresh.definition != self._definition:
            raise NothingPublished("the project has changed since the last refresh was begun, or none was. Run `runmart refresh` again.")
        return refresh

    def _require_fit(self, cursor: Cursor, refresh: state.UnderWay, wanted: Sequence[Model]) -> None:
        """Refuse candidates that were not all built by this refresh, or not from one state of raw, and raw that failed its last check."""
        needed = {step.name for model in wanted for step in self._plan.project.read_by(model.name) if step.kind in (STEP, MART)}
        missing = sorted(needed.difference(refresh.built, refresh.untouched))
        if missing:
            raise NothingPublished(f"the last refresh has not built {', '.join(missing)}. Run `runmart refresh` again.")
        if not refresh.is_whole:
            raise NothingPublished("a sync wrote new rows while the marts were built. Run `runmart refresh` again.")
        behind = frozenset[Table]().union(*(self._plan.project.behind(model.name) for model in wanted))
        told = [f"{'/'.join(table)} holds back marts: {held.reason}" for table, held in held_tables(cursor).items() if table in behind]
        if told:
            raise NothingPublished(f"{'; '.join(told)}. Run `runmart refresh` again, which leaves these marts as they are.")
        # What a full refresh publishes that a person has asked for mends what differs.
        cursor.execute(_DIFFERING, {"check": CHECK, "marts": [model.name for model in wanted]})
        (differing,) = one_row(cursor)
        if differing and not refresh.is_forced:
            raise NothingPublished(f"what is published of {differing} is not what raw makes; run `runmart verify --repair`")

    def _publish(self, cursor: Cursor, refresh: state.UnderWay, wanted: Sequence[Model], *, is_complete: bool) -> int:
        marts, histories, views = ([model for model in wanted if model.kind == kind] for kind in (MART, HISTORY, VIEW))
        known = shapes(cursor, self._plan.project.of_kind(MART, HISTORY, VIEW))
        publishing = Publishing(self._plan, refresh.is_full, refresh.is_forced, known)
        cursor.execute("select clock_timestamp()")
        (published_at,) = one_row(cursor)
        values = {"published_at": published_at, "days": self._history_days}
        written: dict[str, dict[str, int]] = {}
        _execute(cursor, (statement for model in (*marts, *histories) for statement in publishing.shape(model)))
        for mart in marts:
            history = history_of(self._plan, mart.name)
            cursor.execute(publishing.write(mart, history if history and (history.schema, history.name) in known else None), values)
            written[mart.name] = dict(zip(_CHANGES, one_row(cursor), strict=True))
            if (mart.schema, mart.name) not in known:
                cursor.execute(f"analyze {relation(mart.schema, mart.name)}")
        _execute(cursor, (statement for history in histories for statement in publishing.keep(history, self._history_days)), values)
        for view in views:
            _execute(cursor, publishing.view(cursor, view))
            if view.name in self._plan.shown:
                written[view.name] = _sum(written[mart] for mart in view.models if mart in written)
        _execute(cursor, (statement for model in (*marts, *histories, *views) for statement in publishing.describe(model)))
        next_due_at = self._next_due_at(cursor, refresh) if is_complete else None
        return state.record_refresh(
            cursor,
            refresh,
            published_at=published_at,
            is_complete=is_complete,
            next_due_at=next_due_at,
            written=written,
            published=[model.name for model in wanted],
        )

    def _is_built(self, cursor: Cursor, kept: Mapping[str, str]) -> bool:
        """Whether the last full refresh has left everything that incremental ones go on from."""
        names = [relation(*self._plan.relation_of(name)) for name in self._plan.project.models]
        names += [relation(model.schema, model.name) for model in self._plan.project.of_kind(MART, HISTORY, VIEW)]
        names += [relation(CANDIDATES, changes_of(mart.name)) for mart in self._plan.marts]
        return {*self._plan.project.models} <= {*kept} and _are_there(cursor, names)

    def _is_prepared(self, cursor: Cursor, kept: Mapping[str, str]) -> bool:
        views = (name for views in self._views(kept).values() for name, _ in views.values())
        return _are_there(cursor, [relation(CANDIDATES, name) for name in (*self._touched_tables(), *views)])

    def _prepare(self, cursor: Cursor, kept: Mapping[str, str]) -> None:
        """Make what incremental refreshes need and full ones do not: tables of touched groups, and views on them."""
        # What is built on candidates must not go with these.
        for mart in self._plan.marts:
            cursor.execute(f"create or replace view {relation(CANDIDATES, mart.name)} as {recomputed_query(self._plan, mart.name)}")
        for family in self._plan.families:
            contract = self._plan.contracts[family.group.system]
            key, raw = contract.tables[family.group.table].key, relation(contract.raw_schema, family.group.table)
            cursor.execute(making_touched(family.touched, f"select {columns(key)}, null::bigint as batch_id from {raw}", key))
        for followers in self._plan.followers:
            cursor.execute(making_followed(self._plan, followers))
        for mart in self._marts_with_groups_of_their_own():
            touched, query = self._plan.touched_of(mart.name), groups_query(self._plan, mart.name)
            cursor.execute(making_touched(touched, query, self._plan.group_columns(mart.name)))
        for views in self._views(kept).values():
            for name, query in views.values():
                cursor.execute(f"drop view if exists {relation(CANDIDATES, name)} cascade")
                cursor.execute(f"create view {relation(CANDIDATES, name)} as {query}")
        for mart in self._plan.marts:
            cursor.execute(f"create or replace view {relation(CANDIDATES, mart.name)} as {candidate_query(self._plan, mart.name)}")

    def _views(self, kept: Mapping[str, str]) -> dict[str, dict[Relation, tuple[str, str]]]:
        """By family, the views that its models read instead of what they name."""
        return {family.name: Narrowing(self._plan, family).views(kept) for family in self._plan.recomputed_together}

    def _touched_tables(self) -> list[str]:
        own = (self._plan.touched_of(mart.name) for mart in self._marts_with_groups_of_their_own())
        return [*(family.touched for family in self._plan.recomputed_together), *own]

    def _marts_with_groups_of_their_own(self) -> list[Model]:
        """Marts whose columns name groups otherwise than the raw table does."""
        shared = {family.touched for family in self._plan.recomputed_together}
        return [mart for mart in self._plan.marts if not mart.is_whole and self._plan.touched_of(mart.name) not in shared]

    def _touch(self, cursor: Cursor, work: state.Work, wanted: Collection[str]) -> set[str]:
        """Compute the touched groups of wanted models, and empty what rows of any will be put into; gives the models to build.

        What a mart that is recomputed whole was last is all that there is of its candidate.
        """
        steps = [self._plan.relation_of(step.name) for step in self._plan.project.of_kind(STEP)]
        changes = [(CANDIDATES, changes_of(mart.name)) for mart in self._plan.marts if not mart.is_whole]
        self._empty(cursor, [*steps, *changes, *((CANDIDATES, name) for name in self._touched_tables())])
        families = [(family, self._last_of(family, work, wanted)) for family in self._plan.families if {*family.models} & {*wanted}]
        changed = self._changed_tables(cursor, work, wanted)
        for family, last in families:
            system, touched = family.group.system, relation(CANDIDATES, family.touched)
            since = min(each.started_at for each in last), work.now
            names = {table for of, table in changed if of == system}
            query = touching(self._plan, family, seen=_seen(last, system), since=since, changed=names).query()
            cursor.execute(f"insert into {touched}\n{query}; analyze {touched}")
        for mart in (mart for mart in self._marts_with_groups_of_their_own() if mart.name in wanted):
            groups = relation(CANDIDATES, self._plan.touched_of(mart.name))
            cursor.execute(f"insert into {groups}\n{groups_query(self._plan, mart.name)}; analyze {groups}")
        building = self._to_build(cursor, work, wanted, changed)
        self._empty(cursor, [(CANDIDATES, changes_of(mart.name)) for mart in self._plan.whole if mart.name in building])
        return building

    def _to_build(self, cursor: Cursor, work: state.Work, wanted: Collection[str], changed: set[Table]) -> set[str]:
        """The wanted models that a changed row or the time may have changed; all others are as they should be."""
        filled = {*self._filled(cursor, [(CANDIDATES, family.touched) for family in self._plan.families])}
        touched = {name for family in self._plan.families if relation(CANDIDATES, family.touched) in filled for name in family.models}
        for followers in self._plan.followers:
            touched |= {*followers.models} if touched & {*followers.followed} else set()
        grouped = {name for family in self._plan.recomputed_together for name in family.models}

        @cache
        def is_built(name: str) -> bool:
            if name in grouped:
                return name in touched
            model = self._plan.project.models[name]
            return bool(model.tables & changed) or any(map(is_built, model.models)) or self._is_due(cursor, model, work)

        return {name for name in wanted if is_built(name)}

    def _reads_records(self, name: str) -> bool:
        """Whether a model shows Runmart's own records of which nothing tells when they change."""
        return bool(self._plan.untold_records(name))

    def _is_due(self, cursor: Cursor, mart: Model, work: state.Work) -> bool:
        """Whether a mart that is recomputed whole has become out of date by the passing of time alone."""
        if not mart.touched_by or mart.name not in work.published:
            return bool(mart.touched_by)
        since, until = in_utc(work.published[mart.name].started_at), in_utc(work.now)
        rules = (relation(*self._plan.relation_of(rule)) for rule in mart.touched_by)
        cursor.execute(
            "select " + " or ".join(f"exists (select from {rule} where due_at >= {since} and due_at < {until})" for rule in rules)
        )
        return bool(one_row(cursor)[0])

    def _last_of(self, family: Family, work: state.Work, wanted: Collection[str]) -> list[state.Published]:
        """The refreshes that published the marts of a family last; of wanted ones, if there are any."""
        marts = [name for name in family.models if self._plan.project.models[name].kind == MART]
        return [work.published[name] for name in ({*marts} & {*wanted} or marts)]

    def _changed_tables(self, cursor: Cursor, work: state.Work, wanted: Collection[str]) -> set[Table]:
        """The raw tables behind wanted models that batches have touched which not all wanted marts reflect; without marts any batch."""
        tables = frozenset[Table]().union(*(self._plan.project.behind(name) for name in wanted))
        marts = [work.published[mart.name] for mart in self._plan.marts if mart.name in wanted]
        asked = [
            f"select {literal(system)}, {literal(table)} where exists (select from "
            f"{relation(self._plan.contracts[system].raw_schema, table)} where {raw_columns.BATCH_ID} > {_seen(marts, system)})"
            for system, table in sorted(tables)
            if system in self._plan.contracts
        ]
        if not asked:
            return set()
        cursor.execute("\nunion all\n".join(asked))
        return {*cursor.fetchall()}

    def _empty(self, cursor: Cursor, relations: Sequence[Relation]) -> None:
        """Delete all rows, of most tables none; truncating small tables takes longer."""
        filled = self._filled(cursor, relations)
        cursor.execute("select name, relpages > 100 from unnest(%s::text[]) as name inner join pg_class on oid = name::regclass", (filled,))
        for name, is_large in cursor.fetchall():
            cursor.execute(f"truncate {name}" if is_large else f"delete from {name}")

    def _filled(self, cursor: Cursor, relations: Sequence[Relation]) -> list[str]:
        """The relations that have a row."""
        names = [relation(*each) for each in relations]
        if not names:
            return []
        cursor.execute("\nunion all\n".join(f"select {literal(name)} where exists (select from {name})" for name in names))
        return [name for (name,) in cursor.fetchall()]

    def _relations(self, models: Mapping[str, state.Built], wanted: Collection[str]) -> dict[str, Any]:
        """What dbt's materializations and tests have to know of wanted models, see `dbt_project/macros/refresh.sql`.

        What a model looks up for rows of touched groups has not to be narrowed to these again.
        """
        views = self._views({name: built.sql for name, built in models.items()})
        known: dict[str, Any] = {model.name: {"reads": {}} for model in self._plan.project.of_kind(STEP, MART) if model.name in wanted}
        for family in self._plan.recomputed_together:
            narrowed = {".".join(of): view for of, (view, _) in views[family.name].items()}
            for name in (name for name in family.models if name in known):
                known[name]["reads"] |= {of: view for of, view in narrowed.items() if of not in models[name].looks_up}
        for mart in (mart for mart in self._plan.marts if mart.name in known):
            known[mart.name]["touched"] = self._touched([mart.name])
            known[mart.name]["then"] = [
                noting_touched(self._plan, followers, mart.name) for followers in self._plan.followers if mart.name in followers.followed
            ]
        for shown in self._plan.project.of_kind(VIEW, HISTORY):
            marts = self._plan.touched_with(shown.name)
            if marts and {*marts} <= {*known}:
                known[shown.name] = {"touched": self._touched(marts)}
        return known

    def _touched(self, marts: Sequence[str]) -> list[dict[str, Any]]:
        """Tables of touched groups, and the columns that name these in marts."""
        groups = {self._plan.touched_of(mart): self._plan.group_columns(mart) for mart in marts if self._plan.group_columns(mart)}
        return [{"groups": table, "columns": columns} for table, columns in groups.items()]

    def _next_due_at(self, cursor: Cursor, refresh: state.UnderWay) -> datetime | None:
        """When a mart will be out of date by the passing of time alone."""
        rules = {rule for mart in self._plan.marts for rule in mart.touched_by if rule not in refresh.left_out}
        due = []
        for rule in sorted(rules):
            due_at = f"due_at >= {in_utc(refresh.started_at)}"
            cursor.execute(f"select min(due_at) at time zone 'UTC' from {relation(*self._plan.relation_of(rule))} where {due_at}")
            due.append(one_row(cursor)[0])
        return min((moment for moment in due if moment), default=None)


def _are_there(cursor: Cursor, names: Sequence[str]) -> bool:
    cursor.execute("select coalesce(bool_and(to_regclass(name) is not null), true) from unnest(%s) as name", (list(names),))
    return bool(one_row(cursor)[0])


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    listed = [*counts]
    return {change: sum(each[change] for each in listed) for change in _CHANGES}


def _execute(cursor: Cursor, statements: Iterable[str], values: Mapping[str, object] | None = None) -> None:
    for statement in statements:
        cursor.execute(statement, values)


def _seen(last: Iterable[state.Published], system: str) -> int:
    """The last batch of a system that marts reflect, all of them; 0 without marts."""
    return min((each.batches[system] for each in last), default=0)
