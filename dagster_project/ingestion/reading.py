"""The query that reads rows of a source table.

Belongs here: the one select that every copy of rows uses. Does not belong here: its condition (`candidates`) and running it (`relay`).
"""

from psycopg2 import sql

from dagster_project.components.contract import SystemContract
from dagster_project.ingestion.catalog import SourceTable, source_table


def select(contract: SystemContract, table: str, described: SourceTable, condition: sql.Composable) -> sql.Composable:
    """Declared columns of the rows (alias `source`) under a condition; binary rows carry no types, so each value is cast to raw's."""
    columns = [
        sql.SQL("{}::{}").format(sql.Identifier("source", column), sql.SQL(described.columns[column].raw_type))
        for column in contract.tables[table].columns
    ]
    return sql.SQL("select {} from {} as source where {}").format(sql.SQL(", ").join(columns), source_table(contract, table), condition)
