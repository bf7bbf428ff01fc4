"""Holding published marts against raw: groups at random, or all, are computed again and compared with what is published.

Belongs here: one transaction that leaves nothing behind. Does not belong here: what follows from a difference.

The SQL is that of the last full refresh, as of the moment of the one that published the mart. Groups that later batches have touched are
left out: what is published of them is not expected to be what raw makes now.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from psycopg2.extensions import cursor as Cursor

from dagster_project.errors import RunmartError
from dagster_project.marts.lineage import MART, Model
from dagster_project.marts.plan import STEP, Family, Followers, Plan
from dagster_project.marts.postgres import state
from dagster_project.marts.postgres.candidates import groups_query, image_of, is_group_of
from dagster_project.marts.postgres.names import columns, quoted, relation, row
from dagster_project.marts.postgres.narrowing import Narrowing, Relation, replaced
from dagster_project.marts.postgres.touching import touching
from dagster_project.marts.verification import Difference, Verification
from dagster_project.postgres.cursors import leaving_nothing, one_row

_TEMPORARY = "pg_temp"
_SAMPLE = 20


class NotVerifiable(RunmartError):
    """There is nothing to hold marts against; the message says the way out."""


@dataclass
class Verifying:
    """One verification.

    Attributes:
        cursor: Of a transaction that is rolled back afterwards; best a repeatable read.
        plan: Of all marts.
        definition: Digest of the project.
        groups: How many groups of each mart to compute again; None for all.
    """

    cursor: Cursor
    plan: Plan
    definition: str
    groups: int | None
    _published: Mapping[str, state.Published] = field(init=False)
    _kept: Mapping[str, str] = field(init=False)
    # What the marts that are compared just now were published by.
    _last: state.Published = field(init=False)

    def __post_init__(self) -> None:
        """Look up what is published.

        Raises:
            NotVerifiable: Nothing is, or by another state of the project.
        """
        self._published = state.published_marts(self.cursor)
        self._kept = {name: built.sql for name, built in state.kept(self.cursor, self.definition).items()}
        if not self._published or not self._kept:
            raise NotVerifiable("the project has changed since marts were published, or they never were; run `runmart refresh` first")

    def verify(self, marts: Sequence[str]) -> Iterator[Verification]:
        """Hold these marts against raw, those together that one refresh has published last.

        Raises:
            NotVerifiable: One of them was published by another state of the project.
        """
        by_refresh: dict[int, list[str]] = {}
        for name in marts:
            by_refresh.setdefault(self._last_of(name).refresh_id, []).append(name)
        found: dict[str, Verification] = {}
        for together in by_refresh.values():
            self._last = self._last_of(together[0])
            with leaving_nothing(self.cursor):
                found |= {one.mart: one for one in self._verify(together)}
        yield from (found[name] for name in marts)

    def _last_of(self, mart: str) -> state.Published:
        last = self._published.get(mart)
        if last is None or last.definition != self.definition:
            raise NotVerifiable(f"the project has changed since {mart} was published, or it never was; run `runmart refresh` first")
        return last

    def _verify(self, marts: Sequence[str]) -> Iterator[Verification]:
        made: dict[str, dict[Relation, Relation]] = {}
        for name in marts:
            mart = self.plan.project.models[name]
            reads: dict[Relation, Relation] = {}
            followers = self.plan.following(name)
            for family in [followers] if followers else self.plan.families_of(name):
                if family.name not in made:
                    made[family.name] = self._make(family)
                reads |= made[family.name]
            yield self._compare(mart, reads)

    def _make(self, family: Family | Followers) -> dict[Relation, Relation]:
        """Make the stand-ins of what the models of a family read, of the groups to compute again."""
        keys = relation(_TEMPORARY, family.touched)
        chosen = self._chosen(family) if isinstance(family, Family) else self._chosen_of_published(family)
        self.cursor.execute(f"create temporary table {keys} on commit drop as\n{chosen}")
        self.cursor.execute(f"analyze {keys}")
        reads: dict[Relation, Relation] = {}
        for of, (view, query) in Narrowing(self.plan, family, place=_TEMPORARY, shows_candidates=False).views(self._kept).items():
            self.cursor.execute(f"create temporary view {relation(_TEMPORARY, view)} as {query}")
            reads[of] = _TEMPORARY, view
        for name in self.plan.project.models:
            if name in family.models and self.plan.project.models[name].kind == STEP:
                step = relation(_TEMPORARY, name)
                self.cursor.execute(f"create temporary table {step} on commit drop as\n{self._query(name, reads)}")
                self.cursor.execute(f"analyze {step}")
                reads[self.plan.relation_of(name)] = _TEMPORARY, name
        return reads

    def _chosen(self, family: Family) -> str:
        """A query of the groups to compute again: those of the raw table and those that marts show.

        A group that marts know by a part of the key is all rows of the raw table that have this part, those that have gone among them.
        """
        contract = self.plan.contracts[family.group.system]
        key = contract.tables[family.group.table].key
        known = [f"select {columns(key)} from {relation(contract.raw_schema, family.group.table)}"]
        if not family.group.columns:
            marts = [name for name in family.models if self.plan.project.models[name].kind == MART]
            known += [f"select {columns(key)} from {relation(*self.plan.published(mart))}" for mart in marts]
        # Of what records say now, other than the time, nothing is kept from then.
        of_records = tuple(
            rule for rule in family.rules if any(system not in self.plan.contracts for system, _ in self.plan.project.behind(rule.name))
        )
        self.cursor.execute("select clock_timestamp()")
        since = self._last.started_at, one_row(self.cursor)[0]
        seen = self._last.batches.get(family.group.system, 0)
        later = touching(self.plan, replace(family, rules=of_records), seen=seen, since=since).query()
        every, made = "\nunion\n".join(known), self.plan.columns_of(family).values()
        names = [f"name_{number}" for number, _ in enumerate(made)]
        named = ", ".join(f"{each} as {quoted(name)}" for each, name in zip(made, names, strict=True))
        parts = {
            "known": f"select {columns(key)}, {named}\nfrom (\n{every}\n) as keys\nwhere {row(key)} is not null",
            "later": f"select {named}\nfrom (\n{later}\n) as keys",
            "chosen": f"select {columns(names)}\nfrom known\nwhere {row(names)} not in (select {columns(names)} from later)\n"
            f"group by {columns(names)}{self._limit}",
        }
        definitions = ",\n".join(f"{name} as (\n{query}\n)" for name, query in parts.items())
        return (
            f"with {definitions}\nselect {columns(key)}, null::bigint as batch_id\nfrom known\n"
            f"where {row(names)} in (select {columns(names)} from chosen)"
        )

    def _chosen_of_published(self, followers: Followers) -> str:
        """A query of the groups to compute again from marts as they are published: those that these and the followers show."""
        group = columns(followers.group.columns)
        marts = [name for name in followers.models if self.plan.project.models[name].kind == MART]
        shown = "\nunion\n".join(f"select {group} from {relation(*self.plan.published(name))}" for name in (followers.group.mart, *marts))
        return f"select *, null::bigint as batch_id\nfrom (\n{shown}\n) as known{self._limit}"

    @property
    def _limit(self) -> str:
        return "" if self.groups is None else f"\norder by random()\nlimit {self.groups}"

    def _query(self, name: str, reads: Mapping[Relation, Relation]) -> str:
        """The kept SQL of a model on stand-ins, as of the moment of the refresh that is published."""
        query = state.as_of(self._kept[name], self._last.started_at)
        published = {self.plan.relation_of(mart.name): (mart.schema, mart.name) for mart in self.plan.marts}
        stands_for = {**published, **reads}
        return replaced(query, lambda each: relation(*stands_for[each]) if each in stands_for else None)

    def _compare(self, mart: Model, reads: Mapping[Relation, Relation]) -> Verification:
        recomputed, groups = relation(_TEMPORARY, f"{mart.name}__recomputed"), relation(_TEMPORARY, f"{mart.name}__chosen")
        # With the types that it is published with, through which its values have gone.
        self.cursor.execute(f"create temporary table {recomputed} (like {relation(mart.schema, mart.name)}) on commit drop")
        query = self._query(mart.name, reads)
        self.cursor.execute(
            f"insert into {recomputed} ({columns(mart.columns)})\nselect {columns(mart.columns)} from (\n{query}\n) as query"
        )
        number, is_chosen = None, "true"
        if not mart.is_whole:
            self.cursor.execute(f"create temporary table {groups} on commit drop as\n{groups_query(self.plan, mart.name, _TEMPORARY)}")
            self.cursor.execute(f"select count(*) from {groups}")
            (number,) = one_row(self.cursor)
            is_chosen = f"exists (select from {groups} as touched where {is_group_of(self.plan, mart.name, 'side')})"
        image = f"{image_of(mart.columns, 'side')} as image"
        published = f"select {image} from {relation(mart.schema, mart.name)} as side where {is_chosen}"
        made = f"select {image} from {recomputed} as side where {is_chosen}"
        self.cursor.execute(
            f"create temporary table {relation(_TEMPORARY, f'{mart.name}__differing')} on commit drop as\n"
            f"select true as is_published, image from ({published} except all {made}) as one\n"
            f"union all\nselect false, image from ({made} except all {published}) as other"
        )
        differing = relation(_TEMPORARY, f"{mart.name}__differing")
        self.cursor.execute(f"select count(*), (select count(*) from ({published}) as shown) from {differing}")
        count, rows = one_row(self.cursor)
        self.cursor.execute(f"select is_published, image from {differing} order by image, is_published limit {_SAMPLE}")
        return Verification(mart.name, number, rows, count, tuple(Difference(*found) for found in self.cursor.fetchall()))
