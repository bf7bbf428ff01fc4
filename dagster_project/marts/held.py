"""Marts that stand as they were published, because a raw table behind them holds them back.

Belongs here: reading quality.held_tables, and which models follow from it. Does not belong here: why a table holds back marts
(`quality.holding`, which writes it).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor

from dagster_project.marts.lineage import Table
from dagster_project.marts.plan import Plan


@dataclass(frozen=True)
class Held:
    """Why a raw table holds back the marts that read it, and since when, in UTC."""

    reason: str
    since: datetime


def held_tables(cursor: Cursor) -> dict[Table, Held]:
    """The raw tables that hold back marts."""
    cursor.execute("select system, table_name, reason, held_since from quality.held_tables order by system, table_name")
    return {(system, table): Held(reason, since.astimezone(UTC)) for system, table, reason, since in cursor.fetchall()}


def held_models(plan: Plan, held: Collection[Table]) -> list[str]:
    """The models that read, through whatever others, a table that holds them back."""
    return [name for name in plan.project.models if not plan.project.behind(name).isdisjoint(held)]
