"""Which rows of raw tables stand behind a row of a mart: SQL that follows foreign keys from the row's group to all that touch it.

Belongs here: one condition per table and way. Does not belong here: which ways there are (`marts.influence`), and which of the rows bear on
a column (`marts.bearing`).

The ways are those of `touching`, walked from their end: what touches a group when it changes is what the group is made of. Rows that were
found stand in copies, one per raw table, from which the next tables are found.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from dagster_project.marts.influence import Hop
from dagster_project.marts.plan import Family, Plan
from dagster_project.marts.postgres.names import columns, quoted, relation, row, stand_in


@dataclass(frozen=True)
class RowsBehind:
    """The rows of one family's system behind a row of a mart.

    Attributes:
        plan: Of all marts.
        family: The family.
        shown: The relation that holds the row.
    """

    plan: Plan
    family: Family
    shown: str

    def tables(self, wanted: Collection[str]) -> list[str]:
        """The tables through which rows of those that are wanted are found, these included; what is found first stands first."""
        outward = self.family.influence.outward
        needed: set[str] = set()
        for table in reversed(outward):
            if table in wanted or any(table in outward[other] for other in needed):
                needed.add(table)
        return [table for table in outward if table in needed]

    def conditions(self, table: str, copied: Collection[str]) -> list[str]:
        """Conditions on `raw`, a row of the table, one per way to it: a row is behind if any of them holds.

        Args:
            table: The table.
            copied: The tables of whose rows there are copies. Conditions that are tried in this order find rows of the table itself too.
        """
        ways, group = self.family.influence, self.family.group.table
        found = [(self._key(group), self._groups())] if table == group else []
        found += [(hop.key.columns, self._referred(hop, copied)) for hop in (*ways.upward, *ways.sideways) if hop.child == table]
        found += [
            (hop.key.parent_columns, self._of_copies(hop.child, hop.key.columns))
            for hop in ways.downward
            if hop.parent == table and hop.child in copied
        ]
        conditions = [f"{row(names, 'raw')} in (\n{query}\n)" for names, query in found if query]
        return conditions + [each for hop in ways.within if hop.child == table for each in self._within(hop)] if conditions else []

    def _within(self, hop: Hop) -> Iterator[str]:
        """Rows that refer to such as were found, then rows that these refer to."""
        for names, others in ((hop.key.columns, hop.key.parent_columns), (hop.key.parent_columns, hop.key.columns)):
            yield f"{row(names, 'raw')} in (\n{self._of_copies(hop.child, others)}\n)"

    def _referred(self, hop: Hop, copied: Collection[str]) -> str:
        """What rows that are behind refer to by a foreign key: rows of the parent, and such as are named though they are not there."""
        wanted = hop.key.parent_columns
        parts = [self._of_copies(hop.parent, wanted)] if hop.parent in copied else []
        if hop.parent == self.family.group.table and {*wanted} == {*self._key(hop.parent)}:
            parts.append(f"select {columns(wanted)}\nfrom (\n{self._groups()}\n) as groups")
        for other in self.family.influence.downward:
            if other.parent == hop.parent and other.child in copied and {*other.key.parent_columns} == {*wanted}:
                referring = [other.key.columns[other.key.parent_columns.index(column)] for column in wanted]
                parts.append(self._of_copies(other.child, referring))
        return "\nunion all\n".join(parts)

    def _groups(self) -> str:
        """The key of the row's group."""
        table, named = self.family.group.table, self.plan.columns_of(self.family)
        if not self.family.group.columns:
            return f"select {columns(named)}\nfrom {self.shown}"
        key = self._key(table)
        known = [f"select {columns(key)} from {self._raw(table)}"]
        for hop in self.family.influence.upward:
            if hop.parent == table and {*hop.key.parent_columns} == {*key}:
                renamed = (f"{quoted(one)} as {quoted(other)}" for one, other in zip(hop.key.columns, hop.key.parent_columns, strict=True))
                known.append(f"select {columns(key)} from (select {', '.join(renamed)} from {self._raw(hop.child)}) as referring")
        every = "\nunion all\n".join(known)
        return (
            f"select {columns(key)}\nfrom (\n{every}\n) as known\n"
            f"where ({', '.join(named.values())}) in (select {columns(named)} from {self.shown})"
        )

    def _of_copies(self, table: str, names: Collection[str]) -> str:
        return f"select {columns(names)}\nfrom {relation(*stand_in(self._schema, table))}"

    @property
    def _schema(self) -> str:
        return self.plan.contracts[self.family.group.system].raw_schema

    def _raw(self, table: str) -> str:
        return relation(self._schema, table)

    def _key(self, table: str) -> tuple[str, ...]:
        return self.plan.contracts[self.family.group.system].tables[table].key
