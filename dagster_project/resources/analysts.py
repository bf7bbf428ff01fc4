"""What analysts may use of the warehouse's server, beside the tables that they may read.

Belongs here: limits of their role, and PostgreSQL's functions that are kept from them. Does not belong here: which tables they may read
(`migrations/warehouse`, `dbt_project/macros/publish.sql`), and which databases of the embedded server are closed (`resources.embedded`).
"""

from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import replace

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.roles import ANALYST
from dagster_project.settings import AnalystLimits

# Connections that analysts leave to the platform: its processes, four runs at a time, and who looks after it.
KEPT_CONNECTIONS = 50

# By these a role that may only read holds locks, fills the server's table of locks, writes to the disk, or takes a number for its
# transaction, behind which replication slots and the snapshots of sources on this server wait.
_KEPT_FUNCTIONS = "^(pg_(try_)?advisory_|lo_|loread$|lowrite$|pg_logical_emit_message$|pg_current_xact_id$|txid_current$)"

_FUNCTIONS = """
select format('revoke execute on function %%s from public', oid::regprocedure)
from pg_catalog.pg_proc
where pronamespace = 'pg_catalog'::regnamespace and proname ~ %s and has_function_privilege(%s, oid, 'execute')
order by oid::regprocedure::text
"""

_CONNECTIONS = """
select current_setting('max_connections')::integer, current_setting('superuser_reserved_connections')::integer
"""

# Those of a role in one database win over those of the role alone, which a role may set for itself.
_STATE = """
select current_database(), role.rolconnlimit, coalesce(in_database.setconfig, '{}')
from pg_catalog.pg_roles as role
left join pg_catalog.pg_db_role_setting as in_database
    on in_database.setrole = role.oid
    and in_database.setdatabase = (select oid from pg_catalog.pg_database where datname = current_database())
where role.rolname = %s
"""


def restrain(url: str, limits: AnalystLimits, role: str = ANALYST) -> list[str]:
    """Set the limits of a role that reads, and take from it the functions with which it could hold up others.

    Args:
        url: libpq URL of the migrated warehouse, as who migrates it.
        limits: What it may use.
        role: Its name.

    Returns:
        One line for what only a superuser may set, and one if the server has too few connections; empty if all is as it should be.
    """
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(_CONNECTIONS)
        of_server, of_superusers = one_row(cursor)
        connections = max(1, min(limits.connections, of_server - of_superusers - KEPT_CONNECTIONS))
        possible = replace(limits, connections=connections)
        for statement in _missing(cursor, possible, role).values():
            with suppress(errors.InsufficientPrivilege):
                cursor.execute(statement)
        refused = _missing(cursor, possible, role)
    lines = []
    if refused:
        lines.append(
            f"{role} is not restrained in all: only a superuser of the warehouse's server may set {', '.join(refused)}; "
            "run `runmart migrate` once with a superuser in RUNMART_WAREHOUSE_URL, if there is one"
        )
    if connections < limits.connections:
        kept = KEPT_CONNECTIONS + of_superusers
        lines.append(
            f"{role} may open {connections} connections at a time, not {limits.connections}: the warehouse's server takes {of_server} "
            f"in all and {kept} are kept for the platform; set max_connections = {limits.connections + kept} there, start it anew and "
            "run `runmart migrate`, or lower RUNMART_ANALYST_CONNECTIONS"
        )
    return lines


def _missing(cursor: Cursor, limits: AnalystLimits, reader: str) -> dict[str, sql.Composable]:
    """What is not as it should be, each with the statement that makes it so."""
    cursor.execute(_STATE, (reader,))
    database, connections, settings = one_row(cursor)
    role = sql.Identifier(reader)
    missing: dict[str, sql.Composable] = {}
    if connections != limits.connections:
        missing["connection limit"] = sql.SQL("alter role {} connection limit {}").format(role, sql.Literal(limits.connections))
    for name, value in _role_settings(limits).items():
        if f"{name}={value}" not in settings:
            missing[name] = sql.SQL("alter role {} in database {} set {} = {}").format(
                role, sql.Identifier(database), sql.Identifier(name), sql.Literal(value)
            )
    cursor.execute(_FUNCTIONS, (_KEPT_FUNCTIONS, reader))
    functions = [statement for (statement,) in cursor.fetchall()]
    if functions:
        missing[f"rights on {len(functions)} functions"] = sql.SQL("; ".join(functions))
    return missing


def _role_settings(limits: AnalystLimits) -> Mapping[str, str]:
    return {
        "statement_timeout": f"{limits.statement_seconds}s",
        "idle_in_transaction_session_timeout": f"{limits.idle_seconds}s",
        "temp_file_limit": f"{limits.temp_megabytes}MB",
    }
