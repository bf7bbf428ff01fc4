"""Removing a tenant: all that Runmart has of it.

Belongs here: the order, in which a removal that was killed can be repeated. Does not belong here: the single steps (`resources.tenant_*`).
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

from dagster_project.commands.runs import loaded_definitions, run_job
from dagster_project.commands.setup import check_connections
from dagster_project.commands.turns import wait_for_turn
from dagster_project.components.known import known_tenants
from dagster_project.contracts.contract import SystemContract
from dagster_project.errors import RunmartError
from dagster_project.resources.databases import INSTANCE, WAREHOUSE, Databases
from dagster_project.resources.handover import receiver_of
from dagster_project.resources.instance import open_instance
from dagster_project.resources.tenant_databases import drop_databases, unlist_tenant
from dagster_project.resources.tenant_purge import purge, tables_of_tenants
from dagster_project.resources.tenant_runs import forget
from dagster_project.resources.tenants import listed_tenants, listing_of, tenant_warehouse
from dagster_project.settings import ConfigurationError
from dagster_project.suggestions import no_such
from dagster_project.warehouse import of_tenants

# What the server keeps of rows that are gone: their space in tables, and in its statistics and its log.
_REWRITTEN = """
select format('%I.%I', schemaname, relname) from pg_catalog.pg_stat_all_tables
where n_dead_tup > 0 and schemaname not in ('pg_toast', 'information_schema')
"""


@dataclass(frozen=True)
class Removal:
    """What was removed.

    Attributes:
        tenant: The tenant.
        databases: Its databases that were dropped.
        runs: How many of its runs Dagster has forgotten.
    """

    tenant: str
    databases: list[str]
    runs: int


def remove_tenant(databases: Databases, system: str, name: str, say: Callable[[str], None]) -> Removal:
    """Remove a tenant. What was removed in part by a removal that was killed is removed by the next.

    Raises:
        ConfigurationError: Nothing is known of such a tenant, or its customers' list is somebody else's and says that it is active.
        RunmartError: The shared marts could not be brought up to date without it; the run says why.
    """
    check_connections(databases)
    namespace, warehouse = of_tenants(system), tenant_warehouse(databases, system, name)
    with open_instance(databases) as instance:
        known = {*listed_tenants(databases, system), *known_tenants(instance, namespace)}
        if name not in known and not warehouse.home.exists():
            raise ConfigurationError(no_such(f"tenant of {system}", name, known))
        unlist_tenant(databases, system, name)
        wait_for_turn(loaded_definitions().resolve_job_def(namespace.label("sync_and_refresh")), instance, say, name)
        say("dropping its databases")
        dropped = drop_databases(databases, system, name)
        shutil.rmtree(warehouse.home, ignore_errors=True)
        shutil.rmtree(databases.settings.home / "storage" / name, ignore_errors=True)
        receiver = receiver_of(system)
        if receiver:
            _take_back(databases.url(receiver.system), receiver, name)
        say("bringing the shared marts up to date without it")
        report = run_job("sync_and_refresh", instance)
        if not report.is_success:
            raise RunmartError(f"{'; '.join(report.errors)}; mend it, and repeat")
        purge(databases.warehouse(), system, name)
        runs = forget(instance, databases, namespace, name, {column for _, column in tables_of_tenants(system)})
    say("giving back the space of what is gone")
    _, listing = listing_of(system)
    for database in (WAREHOUSE, INSTANCE, listing.system, *([receiver.system] if receiver else [])):
        if databases.external_url(database) is None:
            _rewrite(databases.url(database))
    if databases.external_url(WAREHOUSE) is None:
        _begin_log_anew(databases.url(WAREHOUSE))
        databases.server.forget_log()
    # By its partition it is known until nothing else is left.
    with open_instance(databases) as instance:
        instance.delete_dynamic_partition(system, name)
    return Removal(name, dropped, runs)


def _take_back(url: str, contract: SystemContract, tenant: str) -> None:
    """Delete what a tenant has handed over; children stand behind their parents."""
    column = sql.Identifier(str(contract.handed_over and contract.handed_over.tenant))
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        for table in reversed(contract.bound_tables()):
            cursor.execute(sql.SQL("delete from {} where {} = %s").format(table.source, column), (tenant,))


def _rewrite(url: str) -> None:
    """Let the tables of a database hold nothing of rows that are gone."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("select pg_stat_force_next_flush()")
        cursor.execute(_REWRITTEN)
        for (table,) in cursor.fetchall():
            cursor.execute(f"vacuum (full, analyze) {table}")
        cursor.execute("vacuum full pg_catalog.pg_statistic")


def _begin_log_anew(url: str) -> None:
    """Let the embedded server's log of writes hold nothing of what was written so far; segments are not used again, see its settings."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _ in range(2):
            cursor.execute("select pg_switch_wal()")
            cursor.execute("checkpoint")
