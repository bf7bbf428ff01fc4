"""Marts that stand as they were published: a raw table behind them holds them back, or they fail checks of their own.

Belongs here: reading quality.held_tables and quality.held_marts, and which models follow from a table. Does not belong here: why a table
holds back marts (`quality.holding`, which writes it), and what cannot be published without a mart (`plan`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor

from dagster_project.marts.lineage import Table
from dagster_project.marts.plan import Plan


@dataclass(frozen=True)
class Held:
    """Why a raw table holds back the marts that read it, or a mart stands as it was, and since when, in UTC."""

    reason: str
    since: datetime


def held_tables(cursor: Cursor) -> dict[Table, Held]:
    """The raw tables that hold back marts."""
    cursor.execute("select system, table_name, reason, held_since from quality.held_tables order by system, table_name")
    return {(system, table): Held(reason, since.astimezone(UTC)) for system, table, reason, since in cursor.fetchall()}


def held_marts(cursor: Cursor) -> dict[str, Held]:
    """The marts, histories and views that stand as they were because of their checks."""
    cursor.execute("select mart, reason, held_since from quality.held_marts order by mart")
    return {mart: Held(reason, since.astimezone(UTC)) for mart, reason, since in cursor.fetchall()}


def held_models(plan: Plan, held: Collection[Table]) -> list[str]:
    """The models that read, through whatever others, a table that holds them back."""
    return [name for name in plan.project.models if not plan.project.behind(name).isdisjoint(held)]
