"""What raw will make of the declared columns of a draft.

Belongs here: asking source and warehouse for types. Does not belong here: the rules (`ingestion.catalog`, `ingestion.held_types`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from dagster_project.ingestion.catalog import describe
from dagster_project.ingestion.held_types import with_held_types
from dagster_project.scaffold.drafting import Draft


@dataclass(frozen=True)
class RawTypes:
    """Types of the declared columns in raw.

    Attributes:
        of: By table and column, the type without length or precision.
        as_text: By (table, column), the type in the source of what the warehouse cannot hold, so that raw has its text.
    """

    of: Mapping[str, Mapping[str, str]]
    as_text: Mapping[tuple[str, str], str]


def raw_types(source: Cursor, warehouse: Cursor, draft: Draft) -> RawTypes:
    """Ask for the types of a draft; nothing is left in the warehouse."""
    described = describe(source, draft.contract)
    held = with_held_types(warehouse, described)
    declared = {table: list(contract.columns) for table, contract in draft.contract.tables.items()}
    exact = sorted({held[table].columns[column].raw_type for table, columns in declared.items() for column in columns})
    source.execute("select exact, format_type(to_regtype(exact), null) from unnest(%s) as exact", (exact,))
    plain = dict(source.fetchall())
    return RawTypes(
        of={table: {column: plain[held[table].columns[column].raw_type] for column in columns} for table, columns in declared.items()},
        as_text={
            (table, column): described[table].columns[column].source_type
            for table, columns in declared.items()
            for column in columns
            if held[table].columns[column] != described[table].columns[column]
        },
    )
