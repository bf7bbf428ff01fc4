"""The query that reads rows of a source table.

Belongs here: the one select that every copy of rows uses. Does not belong here: its condition (`candidates`) and running it (`relay`).
"""

from collections.abc import Sequence

from psycopg2 import sql

from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion.catalog import SourceTable


def select(table: BoundTable, described: SourceTable, condition: sql.Composable) -> sql.Composable:
    """Declared columns of the rows (alias `source`) under a condition."""
    return sql.SQL("select {} from {} as source where {}").format(columns_as_raw(described, table.columns), table.source, condition)


def columns_as_raw(described: SourceTable, columns: Sequence[str]) -> sql.Composable:
    """Columns of `source` as raw has them; binary rows carry no types, so each value is cast to raw's."""
    return sql.SQL(", ").join(
        sql.SQL("{}::{}").format(sql.Identifier("source", column), sql.SQL(described.columns[column].raw_type)) for column in columns
    )
