"""Which types the warehouse can hold, and takes in the binary form that rows travel in.

Belongs here: asking the warehouse, before a table is drafted or read. Does not belong here: which type a source column has (`catalog`),
and which types hold another one's values (`types`). What cannot be held travels and is kept as text.
"""

import io
from collections.abc import Iterable, Mapping
from dataclasses import replace

from psycopg2 import DatabaseError, sql
from psycopg2.errors import FeatureNotSupported, UndefinedFunction
from psycopg2.extensions import cursor as Cursor

from dagster_project.ingestion.catalog import SourceTable
from dagster_project.postgres.cursors import leaving_nothing

# Every server has these and reads what every other one sends; nobody is asked about them.
_EVERYWHERE = (
    *("smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean", "uuid", "bytea", "json", "jsonb"),
    *("text", "character", "character varying", "name", "date", "time", "timestamp", "interval", "inet", "cidr"),
)


def with_held_types(writing: Cursor, tables: Mapping[str, SourceTable]) -> dict[str, SourceTable]:
    """The tables with `text` as the raw type of each column whose own type the warehouse cannot hold.

    Args:
        writing: Cursor of a transaction in the warehouse; what is asked leaves nothing in it.
        tables: What the source's tables look like.
    """
    held = _as_held(writing, {column.raw_type for table in tables.values() for column in table.columns.values()})
    return {
        name: replace(table, columns={of: replace(column, raw_type=held[column.raw_type]) for of, column in table.columns.items()})
        for name, table in tables.items()
    }


def _as_held(writing: Cursor, kinds: Iterable[str]) -> dict[str, str]:
    return {kind: kind if _is_everywhere(kind) or _is_held(writing, kind) else _text_like(kind) for kind in kinds}


def _is_everywhere(kind: str) -> bool:
    name = kind.removesuffix("[]").partition("(")[0]
    return name.removesuffix(" without time zone").removesuffix(" with time zone") in _EVERYWHERE


def _text_like(kind: str) -> str:
    return "text[]" if kind.endswith("[]") else "text"


def _is_held(writing: Cursor, kind: str) -> bool:
    """Whether the warehouse takes back, in binary form, what it sends: nothing at all, and an empty value where the type has one."""
    element = sql.SQL(kind.removesuffix("[]"))
    sent = io.BytesIO()
    try:
        with leaving_nothing(writing):
            writing.execute(sql.SQL("create temporary table asked (value {}) on commit drop").format(element))
            values = sql.SQL("select null::{}").format(element)
            if _has_empty_value(writing, element):
                values = sql.SQL("{} union all select ''::{}").format(values, element)
            writing.copy_expert(sql.SQL("copy ({}) to stdout (format binary)").format(values), sent)
            sent.seek(0)
            writing.copy_expert("copy pg_temp.asked from stdin (format binary)", sent)
    except DatabaseError:
        return False
    return True


def _has_empty_value(writing: Cursor, element: sql.Composable) -> bool:
    """Whether the empty text is a value of the type.

    Raises:
        FeatureNotSupported: The server was built without what the type needs.
    """
    try:
        with leaving_nothing(writing):
            writing.execute(sql.SQL("select ''::{}").format(element))
    except (FeatureNotSupported, UndefinedFunction):
        raise
    except DatabaseError:
        return False
    return True
