"""Names that work everywhere: as they are quoted in SQL, and what staging makes of those that would have to be quoted for ever.

Belongs here: rules about single names. Does not belong here: what becomes of the thing that has the name (`drafting`).
"""

import re
from collections.abc import Iterable

from sqlalchemy.dialects import postgresql

_PREPARER = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]
_PLAIN = re.compile(r"[a-z][a-z0-9_]*")
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
    snake = re.sub(r"\W+", "_", words).strip("_" if not name.startswith("_") else "").lower()
    return snake if len(snake.encode()) <= _LONGEST else name.lower()


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
            name = f"{name}_" if name[:1].isalpha() else f"column_{name}"
        if name in used:
            name = f"source_{name}"
        number = 2
        while name in used:
            name = f"{name.rstrip('0123456789')}{number}"
            number += 1
        staged[column] = name
        used.add(name)
    return staged
