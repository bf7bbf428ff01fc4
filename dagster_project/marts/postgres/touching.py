"""Which groups the batches since a refresh have touched: SQL that follows foreign keys from changed raw rows.

Belongs here: one query per table and way. Does not belong here: which ways there are (`marts.influence`).

Changed rows are few or share few parents, so every query begins with them. Rows that came, changed or went say so by `_batch_id`; a row
that has gone is still there, with its foreign keys. A row that moved to other parents keeps those that it left in `_moved_from`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import ForeignKey
from dagster_project.marts.influence import Hop, Influence
from dagster_project.marts.plan import Family, Plan
from dagster_project.marts.postgres.names import columns, in_utc, quoted, relation, row


@dataclass(frozen=True)
class Touching:
    """Touched groups of one table.

    Attributes:
        contract: Of the system.
        influence: How rows lead to groups.
        seen: The last batch that marts reflect.
        rules: Queries by table, each of keys of its rows and a `batch_id`: rows that count as changed, though no batch has touched them.
        changed: The tables that later batches have touched, so that no other is asked; None if any may be.
        is_of_others: Whether changed rows of the table itself are not looked at, because who asks has these.
    """

    contract: SystemContract
    influence: Influence
    seen: int
    rules: Sequence[tuple[str, str]] = ()
    changed: Collection[str] | None = None
    is_of_others: bool = False

    def query(self) -> str:
        """A query of touched groups: their keys, each once, and the last batch that touched them, null if time alone did."""
        group, steps = self.influence.group, self._steps()
        key = self.contract.tables[group].key
        if group not in steps:
            return f"select {columns(key)}, null::bigint as batch_id\nfrom {self._raw(group)}\nwhere false"
        definitions = ",\n\n".join(f"{quoted(table)} as (\n\n{query}\n\n)" for table, query in steps.items())
        is_known = " and ".join(f"{quoted(column)} is not null" for column in key)
        return (
            f"with {definitions}\n\nselect {columns(key)}, max(batch_id) as batch_id\nfrom {quoted(group)}\nwhere {is_known}\n"
            f"group by {columns(key)}"
        )

    def _steps(self) -> dict[str, str]:
        """By table, a query of the keys of rows through which changes reach groups; what a query reads stands before it."""
        downward, owned = self.influence.downward, self.influence.owned
        steps: dict[str, str] = {}
        for table in reversed(self.influence.outward):
            # Rows below a changed one are found by its key; rows above it by its foreign keys, without its own.
            is_found_by_key = table not in owned or table == self.influence.group or any(hop.parent == table for hop in downward)
            parts = [self._changed(table)] if self._is_changed(table) and (is_found_by_key or self._within(table)) else []
            for hop in (*self.influence.sideways, *self.influence.upward):
                parts += self._parents(hop, steps) if hop.parent == table else []
            parts += [self._children(hop) for hop in downward if hop.child == table and hop.parent in steps]
            parts += [query for ruled, query in self.rules if ruled == table]
            if parts:
                steps[table] = self._with_those_within(table, _union(parts))
        return steps

    def _is_changed(self, table: str) -> bool:
        if self.is_of_others and table == self.influence.group:
            return False
        return self.changed is None or table in self.changed

    def _changed(self, table: str) -> str:
        """Keys of changed rows."""
        key = columns(self.contract.tables[table].key)
        return f"select {key}, _batch_id as batch_id\nfrom {self._raw(table)}\nwhere _batch_id > {self.seen}"

    def _parents(self, hop: Hop, steps: Collection[str]) -> list[str]:
        """Keys of the rows that changed rows refer to, and have referred to, and of those that rows touched otherwise refer to."""
        key, child = hop.key.columns, self._raw(hop.child)
        parts = []
        if self._is_changed(hop.child):
            parts.append(values_in_batches(child, key, self.seen))
            parts.append(
                f"select {columns(key, 'entry')}, changed._batch_id as batch_id\nfrom {child} as changed\n"
                "cross join lateral jsonb_array_elements(changed._moved_from) as moved (keys)\n"
                f"cross join lateral jsonb_populate_record(null::{child}, moved.keys) as entry\n"
                f"where changed._batch_id > {self.seen} and changed._moved_from is not null"
            )
        if hop.child in steps:
            own = self.contract.tables[hop.child].key
            parts.append(
                f"select {columns(key, 'child')}, touched.batch_id\nfrom {child} as child\n"
                f"inner join {quoted(hop.child)} as touched on {row(own, 'child')} = {row(own, 'touched')}\nwhere child._deleted_at is null"
            )
        return [self._as_keys(hop.key, _union(parts))] if parts else []

    def _as_keys(self, key: ForeignKey, referred: str) -> str:
        """Values of a foreign key under the names of the parent's key, by which the parent's rows are called from then on."""
        parent_key = self.contract.tables[key.parent].key
        if {*key.parent_columns} == {*parent_key}:
            renamed = ", ".join(f"{quoted(key.columns[key.parent_columns.index(column)])} as {quoted(column)}" for column in parent_key)
            return f"select {renamed}, batch_id\nfrom (\n{referred}\n) as referred"
        return (
            f"select {columns(parent_key, 'parent')}, referred.batch_id\nfrom {self._raw(key.parent)} as parent\n"
            f"inner join (\n{referred}\n) as referred on {row(key.parent_columns, 'parent')} = {row(key.columns, 'referred')}"
        )

    def _children(self, hop: Hop, touched: str | None = None) -> str:
        """Keys of the rows that refer to touched ones."""
        parent_key = self.contract.tables[hop.parent].key
        touched = touched or quoted(hop.parent)
        if {*hop.key.parent_columns} == {*parent_key}:
            parents = touched
        else:
            is_touched = f"{row(parent_key, 'raw')} = {row(parent_key, 'touched')}"
            joined = f"{self._raw(hop.parent)} as raw\ninner join {touched} as touched on {is_touched}"
            parents = f"(\nselect raw.*, touched.batch_id\nfrom {joined}\n)"
        is_asked = f" and child._batch_id <= {self.seen}" if self.is_of_others and hop.child == self.influence.group else ""
        return (
            f"select {columns(self.contract.tables[hop.child].key, 'child')}, parent.batch_id\nfrom {self._raw(hop.child)} as child\n"
            f"inner join {parents} as parent on {row(hop.key.columns, 'child')} = {row(hop.key.parent_columns, 'parent')}\n"
            f"where child._deleted_at is null{is_asked}"
        )

    def _within(self, table: str) -> list[Hop]:
        return [hop for hop in self.influence.within if hop.child == table]

    def _with_those_within(self, table: str, touched: str) -> str:
        """The keys, and those of rows of the same table that refer to such rows or are referred to by them."""
        hops = self._within(table)
        if not hops:
            return touched
        alone = quoted(f"{table} alone")
        key = self.contract.tables[table].key
        parts = [f"select {columns(key)}, batch_id\nfrom {alone}"]
        for hop in hops:
            parts += [*self._parents(hop, ()), self._children(hop, alone)]
            above = (
                f"select {columns(hop.key.columns, 'child')}, touched.batch_id\nfrom {self._raw(table)} as child\n"
                f"inner join {alone} as touched on {row(key, 'child')} = {row(key, 'touched')}"
            )
            parts.append(self._as_keys(hop.key, above))
        return f"with {alone} as (\n\n{touched}\n\n)\n\n{_union(parts)}"

    def _raw(self, table: str) -> str:
        return relation(self.contract.raw_schema, table)


def _union(queries: Sequence[str]) -> str:
    return "\n\nunion all\n\n".join(queries)


def values_in_batches(child: str, key: Sequence[str], seen: int) -> str:
    """The values of a foreign key in rows of later batches, and the batch: one step of an index from each to the next.

    Many changed rows share few parents; where each has a parent of its own, steps cost more than reading the rows, but recomputing as many
    groups costs far more than either.
    """

    def one(relation: str, of: str, condition: str) -> str:
        known = " and ".join(f"{of}.{quoted(column)} is not null" for column in key)
        order = ", ".join(f"{of}.{column} desc" for column in ("_batch_id", *map(quoted, key)))
        return (
            f"select {columns(key, of)}, {of}._batch_id as batch_id\nfrom {relation} as {of}\n"
            f"where {of}._batch_id > {seen} and {known}{condition}\norder by {order}\nlimit 1"
        )

    earlier = f" and ({columns(('_batch_id', *key), 'earlier')}) < (step.batch_id, {columns(key, 'step')})"
    return (
        f"select {columns(key)}, batch_id\nfrom (\nwith recursive step as (\n({one(child, 'latest', '')})\nunion all\n"
        f"select next_step.*\nfrom step\ncross join lateral (\n{one(child, 'earlier', earlier)}\n) as next_step\n)\n"
        "select * from step\n) as steps"
    )


def touching(
    plan: Plan, family: Family, *, seen: int, since: tuple[datetime, datetime] | None = None, changed: Collection[str] | None = None
) -> Touching:
    """The groups of a family that batches after one have touched.

    Args:
        plan: Of all marts.
        family: The family.
        seen: The batch.
        since: From when to when time alone may have changed rows; None if it has not.
        changed: See `Touching`.
    """
    contract = plan.contracts[family.group.system]
    rules = []
    for rule in family.rules:
        if rule.touches is not None and since is not None:
            key = columns(contract.tables[rule.touches[1]].key)
            is_due = f"due_at >= {in_utc(since[0])} and due_at < {in_utc(since[1])}"
            rules.append(
                (rule.touches[1], f"select {key}, null::bigint as batch_id\nfrom {relation(*plan.relation_of(rule.name))}\nwhere {is_due}")
            )
    return Touching(contract, family.influence, seen, tuple(rules), changed)
