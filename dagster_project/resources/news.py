"""Asking whether there is anything to do, before a run is started for it.

Belongs here: whether a refresh of a warehouse would find anything, and which tenants have something new. Does not belong here: what is
asked (`marts.refreshes`, `ingestion.news`, `handover`), and what is done then.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg2

from dagster_project.errors import RunmartError
from dagster_project.ingestion.news import look
from dagster_project.marts.held import held_marts, held_models, held_tables
from dagster_project.marts.refreshes import Refresh, nothing_new
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.resources.databases import Databases
from dagster_project.resources.handover import handed_over_by_tenant, last_refresh_of, receiver_of
from dagster_project.resources.share import share_of
from dagster_project.resources.tenants import Tenant, source_of, tenant_warehouse
from dagster_project.warehouse import Warehouse

_LOOKS_AT_ONCE = 4


def current_refresh(warehouse: Warehouse) -> Refresh | None:
    """The published refresh if another one would find nothing to do; a mart that fails its checks may pass them by now."""
    with warehouse.looking(TRANSFORM, "runmart refresh") as cursor:
        # A warehouse that is not migrated yet has nothing to refresh either; the run says so.
        cursor.execute("select to_regclass('quality.held_marts') is not null")
        if cursor.fetchall() != [(True,)]:
            return None
        if held_marts(cursor):
            return None
        held = held_tables(cursor)
        return nothing_new(cursor, held_models(share_of(warehouse.namespace).plan, held) if held else ())


def tenants_with_news(databases: Databases, system: str, tenants: Sequence[Tenant]) -> list[str]:
    """The names of tenants of which a run would find something to do; one that cannot be asked is among them, so that its run says why.

    Args:
        databases: Where everything is.
        system: A system with tenants.
        tenants: Those that are looked at.
    """
    handed_over = _handed_over(databases, system)
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        answers = pool.map(lambda tenant: _has_news(databases, system, tenant, handed_over), tenants)
        return [tenant.name for tenant, has_news in zip(tenants, answers, strict=True) if has_news]


def _handed_over(databases: Databases, system: str) -> Mapping[str, int] | None:
    """By tenant the last refresh that was handed over, of none if that cannot be asked; None if tenants hand over nothing."""
    receiver = receiver_of(system)
    if receiver is None:
        return None
    try:
        return handed_over_by_tenant(receiver, databases.url(receiver.system))
    except RunmartError:
        return {}


def _has_news(databases: Databases, system: str, tenant: Tenant, handed_over: Mapping[str, int] | None) -> bool:
    try:
        warehouse = tenant_warehouse(databases, system, tenant.name)
        if current_refresh(warehouse) is None:
            return True
        # A hand-over that failed is repeated.
        if handed_over is not None and last_refresh_of(warehouse) != handed_over.get(tenant.name):
            return True
        found = look(share_of(warehouse.namespace).contracts[system], source_of(databases, system, tenant), warehouse.url)
    except (RunmartError, psycopg2.Error):
        return True
    return bool(found)
