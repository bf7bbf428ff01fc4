"""Which rows behind a mart bear on which of its columns: what its meta may say as `bears_on`, so that an explanation lists few rows.

Belongs here: reading what is said, and the SQL condition that follows for columns. Does not belong here: which rows are behind
(`postgres.rows_behind`): what is said here leaves some of these out, and adds none.

    bears_on:
      shop.lines: [{columns: (?P<status>open|paid)_total, where: "raw.status = '{status}'"}]
      shop.notes: []

Of a table that is named only those rows bear on a column for which an entry says so; of one that is not named all do. Rows that hang on
others, by a foreign key that leads to the group, bear only if these do.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.marts.lineage import MartDeclarationError, Project, Table

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_KEYS = {"columns", "where"}


@dataclass(frozen=True)
class Bearing:
    """Rows of a table behind a mart that bear on columns of it.

    Attributes:
        columns: Regular expression for the names of the columns.
        where: Condition on `raw`, a row of the table, and `mart`, the row that is explained; `{…}` stands for a named group of `columns`.
    """

    columns: str = ".*"
    where: str = "true"

    def conditions(self, columns: Collection[str]) -> list[str]:
        """The condition for each of these columns on which the rows bear."""
        matches = (re.fullmatch(self.columns, column) for column in columns)
        return [self._filled(match.groupdict(default="")) for match in matches if match]

    def _filled(self, groups: Mapping[str, str]) -> str:
        return _PLACEHOLDER.sub(lambda name: groups[name[1]], self.where)


def condition(bearings: Sequence[Bearing] | None, columns: Collection[str]) -> str | None:
    """Which rows of a table bear on any of these columns; None if none do.

    Args:
        bearings: What is said of the table; None if nothing is.
        columns: Columns of the mart.
    """
    if bearings is None:
        return "true"
    conditions = dict.fromkeys(condition for bearing in bearings for condition in bearing.conditions(columns))
    return "true" if "true" in conditions else " or ".join(f"({condition})" for condition in conditions) or None


def bearings_of(project: Project, mart: str) -> dict[Table, tuple[Bearing, ...]]:
    """What a mart says, and the models that it unites, by raw table.

    Raises:
        MartDeclarationError: What is said does not fit the mart; names the model and the table.
    """
    found: dict[Table, tuple[Bearing, ...]] = {}
    for name in (*project.united(mart), mart):
        for named, entries in project.models[name].bears_on.items():
            system, _, table = named.partition(".")
            if (system, table) not in project.behind(name):
                known = ", ".join(sorted(".".join(each) for each in project.behind(name)))
                raise MartDeclarationError(
                    f"model {name} says which rows of {named} bear on its columns, and none are behind it; name one of {known}"
                )
            place = f"`bears_on` of model {name} for {named}"
            said = (_bearing(entry, place, project, mart) for entry in entries)
            found[system, table] = (*found.get((system, table), ()), *said)
    return found


def _bearing(entry: Mapping[str, Any], place: str, project: Project, mart: str) -> Bearing:
    """One entry.

    Raises:
        MartDeclarationError: It says what is not understood, or matches no column.
    """
    unknown = sorted(entry.keys() - _KEYS)
    if unknown:
        raise MartDeclarationError(f"{place} has {', '.join(unknown)}; an entry may have: {', '.join(sorted(_KEYS))}")
    bearing = Bearing(**entry)
    try:
        conditions = bearing.conditions(project.models[mart].columns)
    except (re.error, KeyError) as error:
        raise MartDeclarationError(f"{place}: {error} in columns {bearing.columns!r}, where {bearing.where!r}") from error
    if not conditions:
        raise MartDeclarationError(f"{place}: {mart} has no column that is {bearing.columns!r}; leave the entry out, or correct it")
    return bearing
