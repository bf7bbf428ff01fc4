"""Whether raw tables stand at the last snapshot, as asset checks.

Belongs here: the checks, and the failure that ends a run in which a table stands still. Does not belong here: what stands still, which the
sync finds out and keeps (`ingestion.standing`, `ingestion.watermark`). The checks do not block: marts refresh, since every component of raw
is whole. The step fails after its last verdict; nothing depends on it.
"""

from collections.abc import Iterator

import dagster as dg

from dagster_project.components.known import partitions_of, tenant_of
from dagster_project.components.telling import news
from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion.watermark import StandingSince, read_standing, standing_lines
from dagster_project.postgres.roles import INGEST
from dagster_project.resources.warehouse import Warehouses
from dagster_project.warehouse import Namespace

CHECK = "stands_at_last_snapshot"


def standing_checks(contract: SystemContract, namespace: Namespace) -> dg.AssetChecksDefinition:
    """One check per raw table of a system; any of them can be run alone."""

    @dg.multi_asset_check(
        name=namespace.label(f"{contract.system}_standing"),
        specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=dg.AssetKey(namespace.path(contract.system, table)),
                description="The last sync brought the table to its snapshot of the source.",
                partitions_def=partitions_of(namespace),
            )
            for table in contract.tables
        ],
        can_subset=True,
    )
    def check(context: dg.AssetCheckExecutionContext, warehouses: dg.ResourceParam[Warehouses]) -> Iterator[dg.AssetCheckResult]:
        with warehouses.of(namespace, tenant_of(context)).connection(INGEST) as connection, connection.cursor() as cursor:
            standing = read_standing(cursor, contract.system)
        selected = sorted(key.asset_key for key in context.selected_asset_check_keys)
        yield from news(context, (_result(asset, standing.get(asset.path[-1])) for asset in selected))
        selected_tables = {asset.path[-1] for asset in selected}
        lines = [f"{contract.system}.{table} {line}" for table, line in standing_lines(standing).items() if table in selected_tables]
        if lines:
            raise dg.Failure("\n".join(lines), allow_retries=False)

    return check


def _result(asset: dg.AssetKey, standing: StandingSince | None) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=CHECK,
        passed=standing is None,
        description=standing.told if standing else None,
        metadata={"stands_since": f"{standing.since:%Y-%m-%d %H:%M:%S} UTC"} if standing else {},
    )
