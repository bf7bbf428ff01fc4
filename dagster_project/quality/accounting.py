"""Whether every live row of a raw table is read by marts or in quarantine, and what is kept from them.

Belongs here: comparing marked rows with quality.quarantine. Does not belong here: deciding what is marked (`quarantine`). That marts have
all rows that are not in quarantine is what their own checks say.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.raw_columns import IS_IN_QUARANTINE
from dagster_project.ingestion import raw_tables
from dagster_project.marts.held import Held, held_tables
from dagster_project.marts.postgres.names import literal, relation
from dagster_project.postgres.cursors import one_row
from dagster_project.quality.compiling import document

# The check of each raw table that says it, in Dagster.
CHECK = "rows_are_read_or_in_quarantine"

# Its metadata of how many are in quarantine.
ROWS_IN_QUARANTINE = "rows_in_quarantine"

# Of a table without a key no row is set aside.
_NOTHING_MARKED = "select null::jsonb as key where false"

_ACCOUNT = """
with marked as ({marked}), entry as (
    select key, checks from quality.quarantine where system = {system} and table_name = {table} and released_at is null
)

select
    (select count(*) from entry),
    (select count(*) from entry where checks = '{{}}'),
    (select count(*) from marked full join entry on entry.key = marked.key where marked.key is null or entry.key is null)
"""


@dataclass(frozen=True)
class Account:
    """What is kept from the marts of a raw table.

    Attributes:
        table: Its name.
        in_quarantine: Rows in quarantine.
        hanging: Those of them that break no rule themselves, and refer to a row in quarantine.
        unaccounted: Rows that marts do not read though nothing says why, or that something is said of and marts read.
        held: Why the table holds back the marts that read it; None if it does not.
    """

    table: str
    in_quarantine: int
    hanging: int
    unaccounted: int
    held: Held | None


def accounts(cursor: Cursor, contract: SystemContract, tables: Collection[str]) -> Iterator[Account]:
    """The accounts of raw tables of a system, in its order; a table that does not exist has nothing in it."""
    held, existing = held_tables(cursor), raw_tables.existing(cursor, contract.raw_schema)
    for table in (table for table in contract.tables if table in tables):
        raw, key = relation(contract.raw_schema, table), contract.tables[table].key
        is_markable = key and table in existing
        marked = f"select {document(key, 'raw')} as key from {raw} as raw where {IS_IN_QUARANTINE}" if is_markable else _NOTHING_MARKED
        cursor.execute(_ACCOUNT.format(marked=marked, system=literal(contract.system), table=literal(table)))
        in_quarantine, hanging, unaccounted = one_row(cursor)
        yield Account(table, in_quarantine, hanging, unaccounted, held.get((contract.system, table)))
