"""What the models of a family read of touched groups only: views like those of dbt, on the rows of these groups.

Belongs here: which relations are narrowed, to which rows, and their SQL. Does not belong here: which groups are touched (`touching`).

Rows that others only see and those of tables that lead to a group in more than one way are not narrowed: what is joins them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dagster_project.contracts.contract import SystemContract
from dagster_project.marts.influence import Hop
from dagster_project.marts.lineage import MART
from dagster_project.marts.plan import STEP, Family, Followers, Plan
from dagster_project.marts.postgres.candidates import changes_of, is_in_touched_group
from dagster_project.marts.postgres.names import PRINTED, columns, relation, row, shortened
from dagster_project.postgres.schemas import CANDIDATES

Relation = tuple[str, str]

# One common table expression, as the project's models are laid out.
_DEFINITION = re.compile(r"(?ms)^(?:with )?(\w+) as \(\n(.*?)^\),?\n")


def replaced(query: str, replacement: Callable[[Relation], str | None]) -> str:
    """Compiled SQL with other relations instead of those for which there is a replacement."""
    return PRINTED.sub(lambda name: replacement((name[1], name[2])) or name[0], query)


@dataclass(frozen=True)
class Narrowing:
    """What the models of a family, or of followers, read.

    Attributes:
        plan: Of all marts.
        family: The family or the followers.
        place: The schema of the views, and of the table of the keys of touched groups.
        shows_candidates: Whether marts are read as they will be, or as they are published.
    """

    plan: Plan
    family: Family | Followers
    place: str = CANDIDATES
    shows_candidates: bool = True

    def views(self, kept: Mapping[str, str]) -> dict[Relation, tuple[str, str]]:
        """By relation, the view that stands for it, and its SQL; what a view reads stands before it.

        Args:
            kept: The SQL by which a full refresh made each model, by model.
        """
        found: dict[Relation, tuple[str, str]] = {}
        if isinstance(self.family, Family):
            raw = _RawRows(self.plan.contracts[self.family.group.system], self.family, self._touched)
            found = {of: (self._view(of[1]), query) for of, query in raw.queries().items()}
        for name in self._read():
            query = self._of_mart(name) if self.plan.project.models[name].kind == MART else self._of_model(kept[name], found)
            if query:
                found[self.plan.relation_of(name)] = (self._view(name), query)
        return found

    def _read(self) -> list[str]:
        """Marts and views that models of the family read, through whatever views."""
        models = self.plan.project.models
        wanted = {parent for name in self.family.models for parent in models[name].models}
        for model in reversed([*models.values()]):
            if model.name in wanted and model.kind not in (MART, STEP):
                wanted |= {*model.models}
        return [name for name, model in models.items() if name in wanted and model.kind != STEP]

    def _of_model(self, query: str, found: Mapping[Relation, tuple[str, str]]) -> str | None:
        """The model on what is narrowed, planned together with what reads it; None if it is both as it stands."""
        narrowed = replaced(as_subqueries(query), lambda each: relation(self.place, found[each][0]) if each in found else None)
        return narrowed if narrowed != query else None

    def _of_mart(self, name: str) -> str | None:
        """The rows of a candidate in touched groups of this family; None if no column says which those are."""
        referring = self.plan.referring_columns(name, self.family)
        if not referring:
            return None
        published = relation(*self.plan.published(name))
        listed = columns(self.plan.project.models[name].columns)
        is_wanted = f"{row(referring)} in (\n{self._touched(referring.values())}\n)"
        if not self.shows_candidates:
            return f"select {listed}\nfrom {published}\nwhere {is_wanted}"
        return (
            f"select {listed}\nfrom {published} as published\n"
            f"where {is_wanted} and not {is_in_touched_group(self.plan, name, 'published')}\nunion all\n"
            f"select {listed}\nfrom {relation(CANDIDATES, changes_of(name))}\nwhere {is_wanted}"
        )

    def _touched(self, key: Iterable[str]) -> str:
        """Columns of the keys of touched groups."""
        return f"select {columns(key)}\nfrom {relation(self.place, self.family.touched)}"

    def _view(self, name: str) -> str:
        return shortened(f"{self.family.name}__of__{name}")


@dataclass(frozen=True)
class _RawRows:
    """Rows of raw tables in touched groups.

    Attributes:
        contract: Of the system that the groups are of.
        family: The family.
        touched: A query of columns of the keys of touched groups.
    """

    contract: SystemContract
    family: Family
    touched: Callable[[Iterable[str]], str]

    def queries(self) -> dict[Relation, str]:
        """By raw table; tables that are read whole are left out."""
        return {
            (self.contract.raw_schema, table): f"select * from {self._raw(table)}\nwhere {condition}"
            for table, condition in self._conditions().items()
        }

    def _conditions(self) -> dict[str, str]:
        """By raw table, the condition of rows in touched groups."""
        ways, group = self.family.influence, self.family.group.table
        conditions = {group: f"{row(self._key(group))} in (\n{self._neighbourhood()}\n)"}
        # Hops begin with the lowest tables; here a table comes after those above it.
        for hop in reversed(ways.upward):
            is_only_way = sum(each.child == hop.child for each in ways.upward) == 1
            is_looked_up = any(each.parent == hop.child for each in ways.downward) or any(each.child == hop.child for each in ways.within)
            referring = _referring_to_key(hop, self.contract)
            if is_only_way and not is_looked_up and referring and hop.parent in conditions:
                conditions[hop.child] = f"{row(referring)} in (\n{self._keys(hop.parent, conditions)}\n)"
        return conditions

    def _keys(self, table: str, conditions: Mapping[str, str]) -> str:
        if table == self.family.group.table:
            return self.touched(self._key(table))
        return f"select {columns(self._key(table))}\nfrom {self._raw(table)}\nwhere {conditions[table]}"

    def _neighbourhood(self) -> str:
        """Keys of touched groups, and of the rows of the same table that these refer to or are referred to by."""
        group = self.family.group.table
        touched = self.touched(self._key(group))
        parts = [touched]
        for hop in self.family.influence.within:
            referring = _referring_to_key(hop, self.contract)
            if hop.child == group and referring:
                for wanted, given in ((referring, self._key(group)), (self._key(group), referring)):
                    parts.append(f"select {columns(wanted)}\nfrom {self._raw(group)}\nwhere {row(given)} in (\n{touched}\n)")
        return "\nunion all\n".join(parts)

    def _raw(self, table: str) -> str:
        return relation(self.contract.raw_schema, table)

    def _key(self, table: str) -> tuple[str, ...]:
        return self.contract.tables[table].key


def as_subqueries(query: str) -> str:
    """The query with its common table expressions as subqueries where they are read, if each is read once.

    PostgreSQL plans a view whose query has common table expressions apart from the query that reads it.
    """
    rest = _DEFINITION.sub("", query)
    for name, body in reversed(_DEFINITION.findall(query)):
        parts = re.split(rf"\b(from|join) {name}\b(?! as\b)", rest)
        if len(parts) != 3:
            return query
        before, keyword, after = parts
        rest = f"{before}{keyword} (\n{body}) as {name}{after}"
    return rest


def _referring_to_key(hop: Hop, contract: SystemContract) -> list[str] | None:
    """The columns of a foreign key in the order of the parent's key; None if they refer to something else than the key."""
    key = contract.tables[hop.parent].key
    if {*hop.key.parent_columns} != {*key}:
        return None
    return [hop.key.columns[hop.key.parent_columns.index(column)] for column in key]
