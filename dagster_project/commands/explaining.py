"""Explaining a row of a mart: what is asked, and the transaction in which it is answered.

Belongs here: reading the arguments of the command, and connecting. Does not belong here: where rows come from (`marts.explanation`) and how
that is shown (`results`).
"""

from collections.abc import Sequence

from dagster_project.marts.explanation import Explanation, explain
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.resources.databases import Databases
from dagster_project.resources.share import share_of
from dagster_project.settings import ConfigurationError


def explanation_of(databases: Databases, mart: str, key: Sequence[str], column: str | None, rows: int) -> Explanation:
    """Explain one row of a mart, in one transaction that leaves nothing behind.

    Args:
        databases: Where the warehouse is.
        mart: Name of the mart, with or without its schema.
        key: What identifies the row, as `column=value`.
        column: The column to explain; all if None.
        rows: How many rows to name of each table behind.

    Raises:
        ConfigurationError: An entry of the key is not of that form.
        ExplanationError: The row cannot be explained; the message says why.
    """
    asked = mart.removeprefix("analytics."), parse_key(key)
    warehouse = databases.warehouse()
    with warehouse.looking(TRANSFORM, "runmart explain") as cursor:
        return explain(cursor, share_of(warehouse.namespace).plan, *asked, column=column, rows=rows)


def parse_key(entries: Sequence[str]) -> list[tuple[str, str]]:
    """The columns and values of `column=value` entries; a value may hold further equals signs, or be empty.

    Raises:
        ConfigurationError: An entry is not of that form.
    """
    pairs = [(name.strip(), value) for name, _, value in (entry.partition("=") for entry in entries)]
    for entry, (name, _) in zip(entries, pairs, strict=True):
        if "=" not in entry or not name:
            raise ConfigurationError(f"--key {entry!r} is not column=value; name the row as in --key model_id=42")
    return pairs
