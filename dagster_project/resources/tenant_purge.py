"""Rows of a tenant that the shared warehouse has, and taking them out for good.

Belongs here: which tables have any, deleting these rows with their tombstones and versions, and what checks have kept of them. Does not
belong here: the tenant's own databases (`tenant_databases`), what Dagster knows (`tenant_runs`), and the order of a removal.
"""

import json
from collections.abc import Iterator
from contextlib import closing

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.loading import load_contracts
from dagster_project.contracts.table import BoundTable
from dagster_project.postgres.roles import INGEST, TRANSFORM
from dagster_project.postgres.schemas import CANDIDATES, KEPT, PUBLISHED
from dagster_project.quality.data_docs import forget_pages
from dagster_project.resources.handover import receiver_of
from dagster_project.warehouse import Warehouse

# What a refresh leaves until the next one begins.
_LEFT_BY_REFRESHES = "select tablename from pg_catalog.pg_tables where schemaname = %s order by tablename"

_WITH_COLUMN = """
select table_schema, table_name
from information_schema.columns
inner join information_schema.tables using (table_schema, table_name)
where table_schema = any(%s) and column_name = %s and table_type = 'BASE TABLE'
order by table_schema, table_name
"""

# Rows of these name rows of others, as JSON.
_NAMING = {"quality.validation_results": "failing_sample", "quality.failing_rows": "key", "quality.quarantine": "key", "ops.repairs": "key"}


def tables_of_tenants(system: str) -> Iterator[tuple[BoundTable, str]]:
    """The raw tables of the shared warehouse with rows of tenants of a system, each with its column that names the tenant."""
    contracts = load_contracts()
    tenants = contracts[system].tenants
    if tenants:
        yield contracts[tenants.system].table(tenants.table), tenants.id
    receiver = receiver_of(system)
    if receiver and receiver.handed_over:
        yield from ((table, receiver.handed_over.tenant) for table in receiver.bound_tables())


def purge(warehouse: Warehouse, system: str, tenant: str) -> None:
    """Delete what the shared warehouse has of a tenant that its sources do not list any more, once syncs and marts know that.

    Args:
        warehouse: The shared warehouse.
        system: The system with tenants.
        tenant: The tenant.
    """
    tables = list(tables_of_tenants(system))
    with warehouse.connection(INGEST) as connection, connection.cursor() as cursor:
        for table, column in tables:
            if _exists(cursor, table.raw_schema, table.name):
                _delete(cursor, table.raw_schema, table.name, column, tenant)
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        cursor.execute(_LEFT_BY_REFRESHES, (CANDIDATES,))
        left = [sql.Identifier(CANDIDATES, name) for (name,) in cursor.fetchall()]
        if left:
            cursor.execute(sql.SQL("truncate {}").format(sql.SQL(", ").join(left)))
        receiver = receiver_of(system)
        if receiver and receiver.handed_over:
            cursor.execute(_WITH_COLUMN, ([PUBLISHED, KEPT], receiver.handed_over.tenant))
            for schema, name in cursor.fetchall():
                _delete(cursor, schema, name, receiver.handed_over.tenant, tenant)
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        for relation, column in _NAMING.items():
            for key in {key for _, key in tables}:
                named = f"%{json.dumps(key)}: {json.dumps(tenant)}%"
                cursor.execute(f"delete from {relation} where {column}::text like %s", (named,))
    for table, _ in tables:
        forget_pages(warehouse.data_docs, (table.system, table.name), tenant)


def _exists(cursor: Cursor, schema: str, name: str) -> bool:
    cursor.execute("select to_regclass(%s) is not null", (f"{schema}.{name}",))
    return cursor.fetchall() == [(True,)]


def _delete(cursor: Cursor, schema: str, name: str, column: str, tenant: str) -> None:
    cursor.execute(
        sql.SQL("delete from {} where {} = %s").format(sql.Identifier(schema, name), sql.Identifier(column)),
        (tenant,),
    )
