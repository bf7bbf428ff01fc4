"""The databases that Runmart makes for a tenant: its warehouse, and its source where that is on the embedded server.

Belongs here: making and dropping them, bringing them to the newest revision, letting the tenant's reader in, and the row that lists the
tenant. Does not belong here: who the tenants are (`tenants`), and what else there is of one (`tenant_purge`, `tenant_runs`).
"""

from contextlib import closing

import psycopg2
from psycopg2 import sql

from dagster_project.contracts.contract import SystemContract
from dagster_project.postgres.roles import ANALYST, TRANSFORM
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.postgres.urls import database_of
from dagster_project.resources.analysts import restrain
from dagster_project.resources.databases import WAREHOUSE, Databases
from dagster_project.resources.tenants import Tenant, asking_listing, listed_tenants, listing_of, reader_of, tenant_warehouse
from dagster_project.settings import ConfigurationError, has_migrations
from migrations.run import upgrade

# What analysts of the shared warehouse may read, the reader of this one may; they are kept out.
_READABLE = """
select format('grant select on %%I.%%I to {reader}', schemaname, tablename)
from pg_catalog.pg_tables
where schemaname = 'quality' and has_table_privilege(%(analyst)s, format('%%I.%%I', schemaname, tablename), 'select')
"""

_LET_IN = """
create schema if not exists {published} authorization {transform};
revoke connect on database {database} from {analyst};
grant connect on database {database} to {reader};
grant usage on schema {published}, quality to {reader};
grant select on all tables in schema {published} to {reader};
alter default privileges for role {transform} in schema {published} grant select on tables to {reader};
"""


def make_warehouse(databases: Databases, system: str, tenant: str) -> list[str]:
    """Make the warehouse of a tenant unless it is there, and bring it to the newest revision.

    Returns:
        What a person should know, one line each.

    Raises:
        ConfigurationError: No database can be called after the tenant.
        RunmartError: The server refuses it.
    """
    warehouse = tenant_warehouse(databases, system, tenant)
    make_database(databases, WAREHOUSE, database_of(warehouse.url))
    upgrade(WAREHOUSE, warehouse.url)
    _let_in(warehouse.url)
    return restrain(warehouse.url, databases.settings.analysts, reader_of(warehouse.url))


def make_source(databases: Databases, system: str, tenant: str) -> str:
    """Make the source database of a tenant on the embedded server unless it is there, and bring it to the newest revision; its name."""
    name = source_name(system, tenant)
    databases.server.start()
    databases.server.ensure_database(name)
    upgrade(system, databases.server.url(name))
    return name


def list_tenant(databases: Databases, system: str, tenant: Tenant) -> None:
    """Write a tenant into the table that lists them.

    Raises:
        ConfigurationError: The table is somebody else's.
    """
    tenants, listing = listing_of(system)
    if is_foreign(databases, listing):
        raise ConfigurationError(
            f"the tenants of {system} are listed in {tenants.listed_in}, which is its owner's to write: add {tenant.name} there, and "
            f"`runmart sync {system}` finds it"
        )
    names = {tenants.id: tenant.name, tenants.name: tenant.title, tenants.url: tenant.url, tenants.is_active: tenant.is_active}
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        listing.table(tenants.table).source,
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(map(sql.Literal, names.values())),
    )
    with asking_listing(databases, system) as cursor:
        cursor.execute(statement)


def make_database(databases: Databases, beside: str, name: str) -> None:
    """Make a database on the server of another one unless it is there; roles that nobody has let in cannot connect to it."""
    if databases.external_url(beside) is None:
        databases.server.start()
        databases.server.ensure_database(name)
        return
    with closing(psycopg2.connect(databases.url(beside))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("select 1 from pg_database where datname = %s", (name,))
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            cursor.execute(sql.SQL("revoke connect, temporary on database {} from public").format(sql.Identifier(name)))


def unlist_tenant(databases: Databases, system: str, name: str) -> None:
    """Take a tenant out of the table that lists them.

    Raises:
        ConfigurationError: The table is somebody else's, and says that the tenant is active.
    """
    tenants, listing = listing_of(system)
    listed = listed_tenants(databases, system)
    if name not in listed:
        return
    if is_foreign(databases, listing):
        if listed[name].is_active:
            raise ConfigurationError(
                f"{tenants.listed_in} says that {name} is a customer still, and is its owner's to write: "
                f"set its {tenants.is_active} to false, or delete the row, and repeat"
            )
        return
    statement = sql.SQL("delete from {} where {} = %s").format(listing.table(tenants.table).source, sql.Identifier(tenants.id))
    with asking_listing(databases, system) as cursor:
        cursor.execute(statement, (name,))


def drop_databases(databases: Databases, system: str, tenant: str) -> list[str]:
    """Drop the databases of a tenant that Runmart has made, with the roles that have rights in them and nowhere else; their names."""
    warehouse, shared = tenant_warehouse(databases, system, tenant), databases.url(WAREHOUSE)
    dropped = _drop(shared, database_of(warehouse.url))
    if databases.server.is_running():
        dropped += _drop(databases.server.url("postgres"), source_name(system, tenant))
    return dropped


def _drop(server: str, database: str) -> list[str]:
    """Drop a database and the roles that are called as it; its name if it was there."""
    with closing(psycopg2.connect(server)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("select 1 from pg_database where datname = %s", (database,))
        is_there = cursor.fetchone() is not None
        cursor.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))
        cursor.execute("select rolname from pg_roles where rolname = any(%s)", ([database, f"{database}_app", f"{database}_readonly"],))
        for (role,) in cursor.fetchall():
            cursor.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
    return [database] if is_there else []


def is_foreign(databases: Databases, listing: SystemContract) -> bool:
    """Whether the database that lists tenants is somebody else's to write."""
    return databases.external_url(listing.system) is not None or not has_migrations(listing.system)


def is_embedded(databases: Databases, system: str, tenant: Tenant) -> bool:
    """Whether the source of a tenant is a database that Runmart has made for it."""
    _, listing = listing_of(system)
    return not is_foreign(databases, listing) and tenant.url == f"postgresql:///{source_name(system, tenant.name)}"


def source_name(system: str, tenant: str) -> str:
    """The database on the embedded server that is the source of a tenant."""
    return f"{system}__{tenant}"


def _let_in(url: str) -> None:
    """Let the reader of a tenant's warehouse read what is published there, now and later."""
    names = {
        "reader": sql.Identifier(reader_of(url)),
        "database": sql.Identifier(database_of(url)),
        "published": sql.Identifier(PUBLISHED),
        "transform": sql.Identifier(TRANSFORM),
        "analyst": sql.Identifier(ANALYST),
    }
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("select 1 from pg_roles where rolname = %s", (reader_of(url),))
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("create role {reader} login").format(**names))
        cursor.execute(sql.SQL(_LET_IN).format(**names))
        cursor.execute(sql.SQL(_READABLE).format(**names).as_string(cursor), {"analyst": ANALYST})
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)
