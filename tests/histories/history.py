"""Random histories of any database: states that follow each other by inserts, updates, deletes and moves to other parents.

Belongs here: making states whose references are valid and whose keys are unique. Does not belong here: what the tables are (`schema`),
loading the states, and what is expected of them.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dagster_project.contracts.table import ForeignKey
from tests.histories.schema import Column, Row, Schema
from tests.histories.values import distinct, is_continuous, is_measured

# Five hundred histories side by side have keys that a smallint can hold.
KEYS_PER_HISTORY = 64

# Rows at most, of roots, of tables that others refer to, and of those that none refers to, for each of their references: so few keys that
# one which was deleted soon comes back.
_ROOT, _BETWEEN, _LEAF = 4, 8, 30
_TRIES = 8
_NO_PARENT = 0.15
_ODD = 0.15


@dataclass(frozen=True)
class _Palette:
    """What one history draws for one column: few values for most, so that rows meet.

    Attributes:
        values: Usual values, each with a weight.
        odd: Values at the edges.
        odds: The share of these.
        nulls: The share of nulls.
    """

    values: Mapping[str, float]
    odd: Sequence[str]
    odds: float
    nulls: float


class History:
    """One database that changes step by step; histories of different numbers have no key in common.

    Attributes:
        state: The rows by table, each by its number, which it keeps as long as the history lasts.
    """

    def __init__(self, schema: Schema, number: int, seed: int) -> None:
        self._schema = schema
        self._first_number = number * KEYS_PER_HISTORY
        self._random = random.Random(seed)  # noqa: S311
        self._palettes = {name: {column: self._palette(known) for column, known in table.columns.items()} for name, table in schema.items()}
        self._parents = {reference.parent for name, table in schema.items() for reference in table.references if reference.parent != name}
        self.state: dict[str, dict[int, Row]] = {name: {} for name in schema}
        self.step(share=0.6)

    def step(self, share: float | None = None) -> None:
        """Change a share of everything; without one, few rows, some or many of all tables, or of one that must be noticed by itself."""
        changing = [*self._schema]
        if share is None:
            alone = [self._random.choice(changing)]
            share, changing = self._random.choice([(0.02, changing), (0.1, changing), (0.5, changing), (0.2, alone), (0.8, alone)])
        for name in self._schema:
            for number in range(1, self._size(name) + 1):
                self._change(name, number, share if name in changing else 0.0)
        self._mend()

    def change_one(self) -> None:
        """Change one row of one table, and what refers to it if it goes: what follows from it must be noticed by this alone."""
        name = self._random.choice([*self._schema])
        self._change(name, self._random.randint(1, self._size(name)), 1.0)
        self._mend()

    def _size(self, name: str) -> int:
        references = [reference for reference in self._schema[name].references if reference.parent != name]
        if name in self._parents or not references:
            return _BETWEEN if references else _ROOT
        return min(_LEAF * len(references), KEYS_PER_HISTORY - 1)

    def _change(self, name: str, number: int, share: float) -> None:
        rows, chance = self.state[name], self._random.random()
        if number not in rows:
            if chance < share:
                self._insert(name, number)
        elif chance < share / 3:
            del rows[number]
        elif chance < share / 2:
            self._move(name, number)
        elif chance < share:
            self._update(name, number)

    def _mend(self) -> None:
        """A parent that has gone takes its rows along, unless they find another one."""
        while orphans := [*self._orphans()]:
            for name, number in orphans:
                if self._random.random() < 0.5 or not self._move(name, number):
                    del self.state[name][number]

    def _orphans(self) -> Iterator[tuple[str, int]]:
        for name, table in self._schema.items():
            for reference in table.references:
                known = {_values(row, reference.parent_columns) for row in self.state[reference.parent].values()}
                referred = ((number, _values(row, reference.columns)) for number, row in self.state[name].items())
                orphans = [number for number, values in referred if None not in values and values not in known]
                if orphans:
                    yield from ((name, number) for number in orphans)
                    # Another reference of the same row is looked at when this one is mended.
                    break

    def _insert(self, name: str, number: int) -> None:
        table = self._schema[name]
        columns = [column for column in table.columns if column not in table.referring - table.standing]
        for _ in range(_TRIES):
            row = self._placed(name, {column: self._drawn(name, column, number) for column in columns})
            if row and self._take(name, number, row):
                return

    def _move(self, name: str, number: int) -> bool:
        """Give a row other parents, if there are any; False if there is no place for it."""
        for _ in range(_TRIES):
            row = self._placed(name, self.state[name][number])
            if row and self._take(name, number, row):
                return True
        return False

    def _update(self, name: str, number: int) -> None:
        """Draw a few columns anew, nearly always such as are read."""
        table = self._schema[name]
        own = [column for column in table.columns if column not in table.referring and column not in table.telling & {*table.key}]
        read = [column for column in own if table.columns[column].is_read]
        columns = read if read and self._random.random() < 0.9 else own
        for _ in range(_TRIES):
            chosen = self._random.sample(columns, k=min(len(columns), self._random.randint(1, 3)))
            row = {**self.state[name][number], **{column: self._drawn(name, column, number) for column in chosen}}
            if self._take(name, number, row):
                return

    def _take(self, name: str, number: int, row: Row) -> bool:
        """Let a row stand, if it keeps the rules of its table."""
        table = self._schema[name]
        for rule in table.contested:
            values = _values(row, rule)
            if None not in values and any(_values(other, rule) == values for key, other in self.state[name].items() if key != number):
                return False
        if not table.allows(row):
            return False
        self.state[name][number] = row
        return True

    def _placed(self, name: str, row: Row) -> Row | None:
        """The row with parents chosen anew; None if there are none that fit together."""
        table, placed, settled = self._schema[name], dict(row), set[str]()
        for reference in table.references:
            agreed = {column: placed[column] for column in reference.columns if column in settled}
            free = [column for column in reference.columns if column not in settled and table.columns[column].is_nullable]
            found = [] if free and self._random.random() < _NO_PARENT else self._parents_for(name, reference, placed, agreed)
            if not found and not free and None not in agreed.values():
                return None
            chosen = dict(zip(reference.columns, self._random.choice(found), strict=True)) if found else dict.fromkeys(free)
            placed.update(chosen)
            settled.update(chosen)
        return {column: placed[column] for column in table.columns}

    def _parents_for(self, name: str, reference: ForeignKey, row: Row, agreed: Row) -> list[tuple[str | None, ...]]:
        """What a row may refer to, if some of the columns stand already; a row that must refer to its own table may refer to itself."""
        parents = [*self.state[reference.parent].values()]
        if reference.parent == name and not self._schema[name].is_optional(reference) and row.keys() >= {*reference.parent_columns}:
            parents.append(row)
        referred = (dict(zip(reference.columns, _values(parent, reference.parent_columns), strict=True)) for parent in parents)
        fitting = (values for values in referred if None not in values.values() and agreed.items() <= values.items())
        return [tuple(values.values()) for values in fitting]

    def _palette(self, column: Column) -> _Palette:
        """What this history draws for a column."""
        # Rows meet by few moments; of many, some are days apart, as windows of time ask for.
        share = 0.3 if column.is_meeting else 1.0 if is_measured(column.type_name) else 0.7
        if is_continuous(column.type_name) and self._random.random() < share:
            values = column.values
        elif column.is_singled_out:
            values = self._few(column.values, self._random.choice([2, 3, 4]))
        else:
            values = self._few(column.values, self._random.choice([2, 2, 2, 3] if column.is_meeting else [2, 3]))
        return _Palette(
            values=values,
            odd=column.odd,
            odds=_ODD if is_measured(column.type_name) else self._random.choice([0, 0, _ODD]),
            nulls=(self._random.choice([0.3, 0.6, 0.8]) if values else 1.0) if column.is_nullable else 0.0,
        )

    def _few(self, values: Mapping[str, float], number: int) -> Mapping[str, float]:
        left, chosen = dict(values), dict[str, float]()
        while left and len(chosen) < number:
            value = self._pick(left)
            chosen[value] = left.pop(value)
        # Within a history the weights differ less, or it would nearly always have the same value.
        return {value: math.sqrt(weight) for value, weight in chosen.items()}

    def _pick(self, values: Mapping[str, float]) -> str:
        return self._random.choices([*values], [*values.values()])[0]

    def _drawn(self, name: str, column: str, number: int) -> str | None:
        table, palette = self._schema[name], self._palettes[name][column]
        if column in table.telling:
            # A key stays what it is, or every change of it would be another row.
            if column in table.key:
                beginning = ""
            elif len(palette.values) > 1:
                beginning = self._pick(palette.values)
            else:
                # What allows no proposal, or one only, changes too.
                beginning = self._random.choice(["", "a"])
            return distinct(table.columns[column].type_name, self._first_number + number, beginning)
        if self._random.random() < palette.nulls:
            return None
        if palette.odd and self._random.random() < palette.odds:
            return self._random.choice(palette.odd)
        return self._pick(palette.values)


def _values(row: Row, columns: Sequence[str]) -> tuple[str | None, ...]:
    return tuple(row[column] for column in columns)


def together(histories: Sequence[History]) -> dict[str, list[Row]]:
    """The rows of several histories of one schema as one database, parents first."""
    return {name: [row for history in histories for row in history.state[name].values()] for name in histories[0].state}
