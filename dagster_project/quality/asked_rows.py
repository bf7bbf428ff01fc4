"""Which rows a rule has to be asked about, when it was asked before.

Belongs here: SQL of the rows of raw tables and of marts whose verdicts may have changed. Does not belong here: what is asked about them
(`compiling`), and what is remembered (`verdicts`).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.raw_columns import BATCH_ID, IS_LIVE
from dagster_project.marts.influence import Influence, NoWayToGroup, influence
from dagster_project.marts.lineage import MART
from dagster_project.marts.plan import HISTORY, Plan
from dagster_project.marts.postgres.candidates import changes_of, is_in_touched_group
from dagster_project.marts.postgres.histories import VALID_FROM, VALID_TO
from dagster_project.marts.postgres.names import columns, quoted, relation, row
from dagster_project.marts.postgres.touching import Touching
from dagster_project.postgres.schemas import CANDIDATES
from dagster_project.quality.rules import Reach, Rule

# In queries of the rows that are judged together with changed ones.
_CHANGED, _TOUCHED = '"changed keys"', '"touched groups"'


class Subject(Protocol):
    """What a suite is about: a raw table, or a mart."""

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that identify a row; empty if none do."""

    @property
    def relation(self) -> str:
        """What rows are read from, with the columns that they have."""

    @property
    def rows(self) -> str:
        """A query of all rows."""

    @property
    def forgets(self) -> bool:
        """Whether rows may go without a trace."""

    @property
    def has_nulls_in_key(self) -> bool:
        """Whether a column that identifies rows may be null."""

    def changed(self, rule: Rule) -> str | None:
        """A query of the keys of all rows whose verdicts may have changed, rows that have gone included; None if nothing tells."""

    def changed_rows(self, rule: Rule) -> str:
        """A query of those that are there."""


@dataclass(frozen=True)
class Asked:
    """Rows that a rule is asked about.

    Attributes:
        rows: A query of them.
        judged: A query of the keys of all rows that the verdict is of; None if it is of all rows that there are.
        is_whole: Whether they are all rows that there are.
    """

    rows: str
    judged: str | None = None
    is_whole: bool = False


def all_rows(subject: Subject) -> Asked:
    """What a rule is asked about that was never asked before."""
    return Asked(subject.rows, is_whole=True)


def no_row(subject: Subject) -> Asked:
    """What a rule is asked about that cannot fail."""
    return Asked(f"select * from ({subject.rows}) as this where false")


def asked(subject: Subject, rule: Rule, known: str) -> Asked:
    """What has to be asked since the last verdict.

    Args:
        subject: What the suite is about.
        rule: One of its rules.
        known: A query of what the rule has found until now, `key` by `key`, as documents.
    """
    changed = subject.changed(rule) if subject.key and rule.reach in (Reach.ROW, Reach.GROUP) else None
    if changed is None:
        return all_rows(subject)
    found = f"select found.* from ({known}) as known cross join lateral jsonb_populate_record(null::{subject.relation}, known.key) as found"
    if rule.reach is Reach.ROW:
        return Asked(subject.changed_rows(rule), f"{changed}\nunion\n{_gone(subject, found)}" if subject.forgets else changed)
    is_known_by_row = rule.key == subject.key
    # What was found is asked again: a row that has left the others may have been what was wrong with them.
    keys = f"{changed}\nunion\nselect {columns(subject.key)} from ({found}) as found" if is_known_by_row else changed
    made = ", ".join(f"{sql} as {quoted(name)}" for name, sql in rule.within.items())
    of_keys = "\nunion all\n".join(
        f"select this.* from {subject.relation} as this inner join {_CHANGED} as changed on {is_same}"
        for is_same in _is_same(subject, "changed")
    )
    groups = f"select distinct {made} from ({of_keys}) as this"
    if not is_known_by_row:
        groups += f"\nunion\nselect {columns(rule.within)} from ({found}) as found"
    # Each once, however often it is read: to plan hundreds of copies takes longer than to read the few rows that there are.
    once = f"with {_CHANGED} as materialized ({keys}), {_TOUCHED} as materialized ({groups})"
    return Asked(f"{once}\n{_rows_of(subject.rows, rule)}")


def _gone(subject: Subject, found: str) -> str:
    """Keys of rows that were found and are there no more."""
    is_gone = " and ".join(f"not exists (select from {subject.relation} as this where {is_same})" for is_same in _is_same(subject, "found"))
    return f"select {columns(subject.key, 'found')} from ({found}) as found where {is_gone}"


def _is_same(subject: Subject, other: str) -> tuple[str, ...]:
    """When a row of a subject, `this`, has the key of another one, each way apart: an index does not find nulls by comparing them."""
    if not subject.has_nulls_in_key:
        return (f"{row(subject.key, 'this')} = {row(subject.key, other)}",)
    first, *others = map(quoted, subject.key)
    same = "".join(f" and this.{name} is not distinct from {other}.{name}" for name in others)
    return f"this.{first} = {other}.{first}{same}", f"this.{first} is null and {other}.{first} is null{same}"


def _rows_of(rows: str, rule: Rule) -> str:
    """The rows that are in a touched group. Of the first column there is an index, often, which does not find nulls by comparing them."""
    first, *others = rule.within
    made = ", ".join(f"{sql} as {quoted(name)}" for name, sql in rule.within.items())
    same = "".join(f" and touched.{quoted(name)} is not distinct from own.{quoted(name)}" for name in others)
    parts = (
        f"touched.{quoted(first)} = own.{quoted(first)}",
        f"touched.{quoted(first)} is null and own.{quoted(first)} is null",
    )
    # Made apart, since what makes them names columns without a relation.
    return "\nunion all\n".join(
        f"select this.* from ({rows}) as this cross join lateral (select {made}) as own\n"
        f"where exists (select from {_TOUCHED} as touched where {is_first}{same})"
        for is_first in parts
    )


@dataclass(frozen=True)
class RawTable:
    """A raw table.

    Attributes:
        contract: Of its system.
        table: Its name.
        seen: The last batch that the verdicts reflect; None if that is not known.
        together: Tables of which rules on single rows are asked together, so that the rows that changes there lead to are found once.
    """

    contract: SystemContract
    table: str
    seen: int | None
    together: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[str, ...]:
        """See `Subject`."""
        return self.contract.tables[self.table].key

    @property
    def relation(self) -> str:
        """See `Subject`."""
        return relation(self.contract.raw_schema, self.table)

    @property
    def rows(self) -> str:
        """See `Subject`."""
        return f"select * from {self.relation} where {IS_LIVE}"

    @property
    def forgets(self) -> bool:
        """See `Subject`."""
        return False

    @property
    def has_nulls_in_key(self) -> bool:
        """See `Subject`."""
        return False

    def changed(self, rule: Rule) -> str | None:
        """See `Subject`."""
        parents = self._parents(rule)
        if self.seen is None:
            return None
        if not parents:
            return f"select {columns(self.key)} from {self.relation} where {BATCH_ID} > {self.seen}"
        ways = _ways(self.contract, self.table, parents)
        return f"select {columns(self.key)} from ({Touching(self.contract, ways, self.seen).query()}) as touched" if ways else None

    def changed_rows(self, rule: Rule) -> str:
        """See `Subject`."""
        own = f"{self.rows} and {BATCH_ID} > {self.seen}"
        ways = _ways(self.contract, self.table, self._parents(rule))
        if ways is None or self.seen is None:
            return own
        # Its own changes lead to no other row, unless rows refer to rows of the same table.
        leads_to_others = any(hop.child == self.table for hop in ways.within)
        touched = Touching(self.contract, ways, self.seen, is_of_others=not leads_to_others).query()
        is_same = f"{row(self.key, 'this')} = {row(self.key, 'touched')}"
        return (
            f"{own}\nunion all\nselect this.* from ({touched}) as touched inner join {self.relation} as this on {is_same} "
            f"where this.{IS_LIVE} and this.{BATCH_ID} <= {self.seen}"
        )

    def _parents(self, rule: Rule) -> frozenset[str]:
        parents = _parents(self.contract, rule)
        return self.together if rule.reach is Reach.ROW and parents <= self.together else parents


def read_together(contract: SystemContract, table: str, rules: Iterable[Rule]) -> frozenset[str]:
    """The tables that rules on single rows of a raw table read, where foreign keys lead from changes there to its rows."""
    read = [_parents(contract, rule) for rule in rules if rule.reach is Reach.ROW]
    return frozenset().union(*(parents for parents in read if parents and _ways(contract, table, parents)))


def _parents(contract: SystemContract, rule: Rule) -> frozenset[str]:
    return frozenset(name for schema, name in rule.relations if schema == contract.raw_schema)


def _ways(contract: SystemContract, table: str, parents: Collection[str]) -> Influence | None:
    """The ways from changes of other tables to rows of a table; None if there are none, or foreign keys do not tell."""
    try:
        return influence(contract, table, {table, *parents}) if parents else None
    except NoWayToGroup:
        return None


@dataclass(frozen=True)
class Mart:
    """A mart, its history, or a view of marts, as the refresh under way will publish it.

    Attributes:
        plan: Of all marts.
        name: Its name.
        key: Columns that identify a row.
        since: When the refresh started whose marts were checked last; None if that does not tell which rows may differ.
    """

    plan: Plan
    name: str
    key: tuple[str, ...]
    since: datetime | None

    @property
    def relation(self) -> str:
        """See `Subject`."""
        return relation(CANDIDATES, self.name)

    @property
    def rows(self) -> str:
        """See `Subject`."""
        return f"select * from {self.relation}"

    @property
    def forgets(self) -> bool:
        """See `Subject`. Versions end, and are forgotten after a time."""
        return self._kind == HISTORY

    @property
    def has_nulls_in_key(self) -> bool:
        """See `Subject`. A grain may have an optional column."""
        return True

    def changed(self, rule: Rule) -> str | None:
        """See `Subject`."""
        if self.since is None or not self.plan.touched_with(self.name):
            return None
        places = (relation(self.plan.project.models[self.name].schema, self.name), self.relation)
        return "\nunion\n".join(self._touched(f"select {columns(self.key)}", place) for place in places)

    def changed_rows(self, rule: Rule) -> str:
        """See `Subject`."""
        if self._kind == MART:
            return f"select {columns(self.plan.project.models[self.name].columns)} from {relation(CANDIDATES, changes_of(self.name))}"
        return self._touched("select this.*", self.relation)

    def _touched(self, selected: str, place: str) -> str:
        """A query of rows of touched groups. Parts have no row in common, and each has an index of its own."""
        conditions = [" or ".join(is_in_touched_group(self.plan, mart, "this") for mart in self.plan.touched_with(self.name))]
        # What the last refresh has published of a history was not there when its candidate was checked.
        if self._kind == HISTORY:
            conditions += [f"this.{VALID_FROM} >= '{self.since}'", f"this.{VALID_TO} >= '{self.since}'"]
        return "\nunion all\n".join(
            f"{selected} from {place} as this where "
            + " and ".join([f"({condition})", *(f"({earlier}) is not true" for earlier in conditions[:number])])
            for number, condition in enumerate(conditions)
        )

    @property
    def _kind(self) -> str:
        return self.plan.project.models[self.name].kind
