"""Made-up systems and projects.

Belongs here: what no test is about. Does not belong here: what is expected.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster_project.contracts.contract import SystemContract
from dagster_project.marts.lineage import Group, Model, Project


def contract(**foreign_keys: dict[str, str]) -> SystemContract:
    """The system shop, of tables with these foreign keys, `column: table`, each to the key of the other table."""
    tables = {
        name: {
            "description": name,
            "key": ["id"],
            "columns": ["id", *keys],
            "foreign_keys": {column: f"{parent}.id" for column, parent in keys.items()},
        }
        for name, keys in foreign_keys.items()
    }
    freshness = {"warn_after_hours": 1, "error_after_hours": 2}
    return SystemContract.model_validate({"system": "shop", "description": "A shop.", "freshness": freshness, "tables": tables})


def model(
    name: str,
    kind: str,
    *,
    group: tuple[str, str] | None = None,
    named: Mapping[str, str] | None = None,
    models: Sequence[str] = (),
    tables: Sequence[str] = (),
    columns: Sequence[str] = ("id",),
    bears_on: Mapping[str, Any] | None = None,
) -> Model:
    """A model.

    Args:
        name: Its name.
        kind: How it is materialized.
        group: System and table of its groups.
        named: The columns that name a group, with their SQL.
        models: What it reads.
        tables: Tables of shop that it reads.
        columns: Its columns, the first of which is its grain.
        bears_on: What it says of these.
    """
    return Model(
        name=name,
        kind=kind,
        schema="analytics" if kind.startswith("mart") else "staging",
        description=name,
        columns=dict.fromkeys(columns, ""),
        grain=tuple(columns[:1]),
        group=Group(*group, named or {}) if group else None,
        is_whole=False,
        touched_by=(),
        touches=None,
        indexes=(),
        history_of=None,
        bears_on=bears_on or {},
        models=tuple(models),
        tables=frozenset(("shop", table) for table in tables),
        code="",
        references={},
    )


def project(*models: Model) -> Project:
    """A project of these models."""
    return Project({each.name: each for each in models})
