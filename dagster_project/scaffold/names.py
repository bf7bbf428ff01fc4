"""Names that work everywhere: as they are quoted in SQL, and what becomes of those that would have to be quoted for ever.

Belongs here: rules about single names. Does not belong here: what becomes of the thing that has the name (`drafting`).
"""

import itertools
import re
import unicodedata
from collections.abc import Collection, Iterable

from sqlalchemy.dialects import postgresql

_PREPARER = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]
_PLAIN = re.compile(r"[a-z][a-z0-9_]*")
# PostgreSQL cuts what is longer, without an error. In bytes.
_LONGEST = 63


def quoted(name: str) -> str:
    """The name as SQL needs it: in double quotes only if it is a reserved word or not plain lower case."""
    return str(_PREPARER.quote(name))


def is_plain(name: str) -> bool:
    """Whether the name works in SQL, in dbt and in Dagster as it is."""
    return bool(_PLAIN.fullmatch(name))


def snake_case(name: str) -> str:
    """The name in lower case with underscores between its words: `userId` and `User Id` become `user_id`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    # A name that has no room for more underscores gets along without them.
    spaced = words if len(words.encode()) <= _LONGEST else name
    return re.sub(r"\W+", "_", spaced).strip("_" if not name.startswith("_") else "").lower()


def plain_name(name: str) -> str:
    """The name as `is_plain` has it: `OrderItem` becomes `order_item`, `_Größe` `grosse`; empty if nothing of it is left."""
    if is_plain(name):
        return name
    spelled = unicodedata.normalize("NFKD", snake_case(name)).casefold().encode("ascii", "ignore").decode()
    plain = re.sub(r"[\W_]+", "_", spelled).strip("_")
    return _cut(f"table_{plain}") if plain[:1].isdigit() else plain


def table_names(tables: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What Runmart calls each table: its plain name, after that of its schema where another table has it.

    Args:
        tables: Schema and name of tables that have a plain name; where two could have the same, the first gets it.
    """
    names: dict[tuple[str, str], str] = {}
    # A table that needs no other name keeps its own, whatever comes before it.
    for schema, table in sorted(tables, key=lambda place: not is_plain(place[1])):
        name = plain_name(table)
        used = set(names.values())
        names[schema, table] = name if name not in used else _unused(plain_name(f"{schema}_{table}"), used)
    return names


def staged_names(columns: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """What staging calls each column: its name in snake case, unless that is a reserved word or taken.

    Args:
        columns: Columns of one table.
        taken: Names that staging gives to columns of its own.
    """
    staged: dict[str, str] = {}
    used = set(taken)
    # A column that needs no change keeps its name, whatever comes before it.
    for column in sorted(columns, key=lambda name: snake_case(name) != name):
        name = snake_case(column)
        if quoted(name) != name:
            name = _cut(name, "_") if name[:1].isalpha() else _cut(f"column_{name}")
        if name in used:
            name = _unused(f"source_{name}", used)
        staged[column] = name
        used.add(name)
    return staged


def parent_check(columns: Iterable[str]) -> str:
    """What the check is called that holds the foreign key of these columns: `("orderId", "line")` gives `order_id_line_has_parent`."""
    return f"{'_'.join(map(snake_case, columns))}_has_parent"


def _unused(name: str, used: Collection[str]) -> str:
    """The name, or with the first number that nothing else has."""
    numbered = (_cut(name.rstrip("0123456789"), str(number)) for number in itertools.count(2))
    return next(candidate for candidate in itertools.chain([_cut(name)], numbered) if candidate not in used)


def _cut(name: str, suffix: str = "") -> str:
    """The name with the suffix, shortened in between to what PostgreSQL keeps of a name."""
    return name.encode()[: _LONGEST - len(suffix)].decode(errors="ignore") + suffix
