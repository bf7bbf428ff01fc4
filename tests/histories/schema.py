"""What a history is made of: tables with their columns, keys and references.

Belongs here: their shape, and what follows from it alone. Does not belong here: where they are read from (`catalog`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from dagster_project.contracts.table import ForeignKey
from tests.histories.values import is_telling

# A row by column, each value as PostgreSQL reads it from text.
Row: TypeAlias = Mapping[str, str | None]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        type_name: Its type as `format_type` writes it; of a domain the type that it is made of.
        is_nullable: Whether it may be null.
        values: Usual values, each with a weight.
        odd: Values that it holds now and then.
        is_read: Whether what the history is for reads it.
        is_meeting: Whether rows are grouped or joined by it.
        is_singled_out: Whether SQL names values of it.
    """

    type_name: str
    is_nullable: bool
    values: Mapping[str, float]
    odd: tuple[str, ...] = ()
    is_read: bool = True
    is_meeting: bool = False
    is_singled_out: bool = False


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        key: Columns that identify a row; empty if nothing does.
        columns: Columns by name, those of the key and of references included.
        references: References to tables of the same schema.
        unique: Columns of which no two rows have the same values, nulls apart; the key need not be named.
        allows: Whether a row keeps the rules that concern several of its columns.
    """

    key: tuple[str, ...]
    columns: Mapping[str, Column]
    references: tuple[ForeignKey, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    allows: Callable[[Row], bool] = field(default=lambda _: True, compare=False)

    @cached_property
    def referring(self) -> frozenset[str]:
        """Columns of references."""
        return frozenset(column for reference in self.references for column in reference.columns)

    @cached_property
    def standing(self) -> frozenset[str]:
        """Columns of references that have a value also where nothing is referred to: another column of the reference is null then."""
        needed = {column for reference in self.references if not self.is_optional(reference) for column in reference.columns}
        return frozenset(column for column in self.referring - needed if not self.columns[column].is_nullable)

    @cached_property
    def rules(self) -> tuple[tuple[str, ...], ...]:
        """All sets of columns of which no two rows have the same values, the key first."""
        return tuple(dict.fromkeys(columns for columns in (self.key, *self.unique) if columns))

    @cached_property
    def telling(self) -> frozenset[str]:
        """Columns whose values are all different: the first that can be, of the key and of each unique set, and that refers to nothing.

        What need be different below one parent only is left as it is drawn.
        """
        apart = [rule for rule in self.rules if rule == self.key or self.referring.isdisjoint(rule)]
        own = ([column for column in rule if column not in self.referring] for rule in apart)
        able = ([column for column in columns if is_telling(self.columns[column].type_name)] for columns in own)
        return frozenset(columns[0] for columns in able if columns)

    @cached_property
    def contested(self) -> tuple[tuple[str, ...], ...]:
        """The sets of columns that may be the same in two rows, whatever is drawn."""
        return tuple(rule for rule in self.rules if self.telling.isdisjoint(rule))

    def is_optional(self, reference: ForeignKey) -> bool:
        """Whether a row need not refer to anything; as in SQL, one null is enough."""
        return any(self.columns[column].is_nullable for column in reference.columns)


# Tables by name, parents before those that refer to them.
Schema: TypeAlias = Mapping[str, Table]


def in_order(tables: Mapping[str, Table]) -> dict[str, Table]:
    """The same tables, parents before those that refer to them; where tables refer to each other, in the order given."""
    ordered: dict[str, Table] = {}
    while waiting := [name for name in tables if name not in ordered]:
        ready = [name for name in waiting if all(reference.parent in {name, *ordered} for reference in tables[name].references)] or waiting[
            :1
        ]
        ordered.update({name: tables[name] for name in ready})
    return ordered
