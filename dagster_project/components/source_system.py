"""A source system as Dagster assets: one asset per declared table, all materialized by one sync.

Belongs here: turning a contract into assets and a sync's result into their metadata. Does not belong here: how rows are copied
(`ingestion/`) and checked (`defs.quality`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel

from dagster_project.components.known import Known, partitions_of, tenant_of
from dagster_project.components.standing_checks import standing_checks
from dagster_project.components.sync_lines import SyncLines
from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import load_contract
from dagster_project.contracts.table import raw_schema
from dagster_project.ingestion.errors import SyncError
from dagster_project.ingestion.reconcile import Reconcile, Reconciliation
from dagster_project.ingestion.sync import SyncResult, sync
from dagster_project.ingestion.watermark import TableSync
from dagster_project.internals.dagster import left_alone
from dagster_project.postgres.urls import without_url
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.run_process import PROCESS_TAG, this_process
from dagster_project.resources.share import share_of
from dagster_project.resources.warehouse import Sources, Warehouses
from dagster_project.warehouse import DEFAULT, Namespace, Warehouse

# Name of the metadata entry that holds a sync's warnings, one per line.
WARNINGS = "warnings_of_sync"

_MAX_RETRIES = 3


class SourceSystem(dg.Component):
    """Loads `defs.yaml` of one system."""

    def __init__(self, contract: SystemContract) -> None:
        self.contract = contract

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The contract itself is the schema of the YAML."""
        return SystemContract

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Read the file again with the contract's own loader, which also checks what a schema cannot say."""
        path = Path(context.path)
        return cls(load_contract(path if path.is_file() else path / "defs.yaml"))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets of the system, and the checks that tell when one of them stands still; none if its warehouses hold other systems."""
        namespace = namespace_of(context)
        if self.contract.system not in share_of(namespace).contracts:
            return dg.Definitions()
        return dg.Definitions(assets=[raw_assets(self.contract, namespace)], asset_checks=[standing_checks(self.contract, namespace)])


def raw_assets(contract: SystemContract, namespace: Namespace) -> dg.AssetsDefinition:
    """One asset per table, materialized together so that all of them stand at one source snapshot; one that stands still is left alone."""

    @dg.multi_asset(
        name=namespace.label(contract.raw_schema),
        specs=[
            dg.AssetSpec(
                key=namespace.path(contract.system, table),
                description=declared.description,
                group_name=namespace.label(contract.system),
                kinds={"postgres"},
                partitions_def=partitions_of(namespace),
                metadata={"columns_read": len(declared.columns), "key": ", ".join(declared.key)},
            )
            for table, declared in contract.tables.items()
        ],
        # Tenants take turns with nobody but themselves, which the lock in the warehouse of each sees to.
        pool=None if namespace.tenants_of else namespace.label(f"sync_{contract.system}"),
        config_schema=_config_schema(contract),
    )
    def sync_system(
        context: dg.AssetExecutionContext, sources: Sources, warehouses: dg.ResourceParam[Warehouses]
    ) -> Iterator[dg.MaterializeResult[None]]:
        yield from _materialize(context, contract, sources, warehouses.of(namespace, tenant_of(context)))

    return sync_system


def reconcile_config(system: str, tables: Collection[str] = (), *, is_repairing: bool, namespace: Namespace = DEFAULT) -> dict[str, Any]:
    """Configuration of a run that reconciles a system after its sync.

    Args:
        system: The system.
        tables: Tables to compare; all of them if empty.
        is_repairing: Whether rows that differ are repaired, or only logged.
        namespace: The warehouse.
    """
    return {"ops": {namespace.label(raw_schema(system)): {"config": {"reconcile": {"tables": list(tables), "repair": is_repairing}}}}}


def _config_schema(contract: SystemContract) -> dict[str, dg.Field]:
    """What a run may be asked for; tables are an enumeration, so that an unknown one is refused before anything runs."""
    tables = dg.Enum(f"table_of_{contract.system}", [dg.EnumValue(table) for table in contract.tables])
    asked = {
        "tables": dg.Field([tables], default_value=[], description="Tables to compare in full; all of them if none is named."),
        "repair": dg.Field(bool, default_value=False, description="Repair rows that differ, instead of only logging them."),
    }
    reconcile = dg.Field(dg.Noneable(asked), default_value=None, description="Compare whole tables with the source, at the same snapshot.")
    return {"reconcile": reconcile}


def _materialize(
    context: dg.AssetExecutionContext, contract: SystemContract, sources: Sources, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult[None]]:
    # So that whoever waits for this sync can see that it died.
    context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: this_process()})
    asked = context.op_execution_context.op_config["reconcile"]
    source_url = sources.url(contract.system, warehouse.tenant)
    try:
        result = sync(
            contract,
            source_url,
            warehouse.url,
            context.run.run_id,
            on_event=SyncLines(context.log.info).tell,
            reconciling=Reconcile(asked["tables"], asked["repair"]) if asked else None,
        )
    except SyncError as error:
        # Dagster stores what an error was caused by, and so the URL of a tenant.
        told = SyncError(without_url(str(error), source_url)) if warehouse.tenant else error
        if error.is_transient:
            raise dg.RetryRequested(max_retries=_MAX_RETRIES, seconds_to_wait=2**context.retry_number) from told
        raise dg.Failure(str(told), allow_retries=False) from told
    warnings = list(_warnings(result))
    for line in warnings:
        context.log.warning(line)
    assets = {table: dg.AssetKey(warehouse.namespace.path(contract.system, table)) for table in contract.tables}
    news = _told(Known.to(context), assets, result, warnings)
    compared = {reconciliation.table: reconciliation for reconciliation in result.reconciliations}
    yield from (left_alone(asset) for table, asset in assets.items() if table not in news)
    for table in (table for table in result.tables if table.table in news):
        yield dg.MaterializeResult(
            asset_key=assets[table.table],
            metadata={
                **_metadata(result, table),
                **(_comparison(compared[table.table]) if table.table in compared else {}),
                **({WARNINGS: _listed(warnings)} if warnings else {}),
            },
        )


def _told(known: Known, assets: Mapping[str, dg.AssetKey], result: SyncResult, warnings: Sequence[str]) -> set[str]:
    """The tables of which a sync has something to tell: what it changed or compared, and what Dagster does not know.

    Whoever hears of warnings looks at the first table, so that this one is told too when there are others than it told last.
    """
    last = known.materializations([*assets.values()])
    told = {table.table for table in result.tables if table.rows_changed or assets[table.table] not in last}
    told |= {reconciliation.table for reconciliation in result.reconciliations}
    first = next(iter(assets))
    if assets[first] in last and _warned(last[assets[first]]) != _listed(warnings):
        told.add(first)
    return told


def _warned(last: dg.EventLogRecord) -> str:
    entry = last.asset_materialization.metadata.get(WARNINGS) if last.asset_materialization else None
    return str(entry.value) if entry else ""


def _listed(warnings: Sequence[str]) -> str:
    """The UI shows lines in one go: each begins with a mark of its own."""
    return "\n".join(f"• {line}" for line in warnings)


def _warnings(result: SyncResult) -> Iterator[str]:
    """What a person should know, one line each; what stands from one sync to the next has the same words."""
    yield from result.warnings
    for table in result.tables:
        if table.new_columns:
            yield f"{table.table}: new columns at the source are not declared and were not read: {', '.join(table.new_columns)}"
    if any(reconciliation.differing for reconciliation in result.reconciliations):
        yield f"the rows that differed: select * from ops.repairs where batch_id = {result.batch_id} order by repair_id"


def _metadata(result: SyncResult, table: TableSync) -> dict[str, int | float | str]:
    return {
        "dagster/row_count": table.source_rows,
        "rows_read": table.rows_read,
        "bytes_read": table.bytes_read,
        "rows_inserted": table.rows_inserted,
        "rows_updated": table.rows_updated,
        "rows_deleted": table.rows_deleted,
        "seconds": table.seconds,
        "lag_seconds": result.lag.seconds,
        "lag_transactions": result.lag.transactions,
        "found_by": table.found_by,
        # A number would be drawn as a plot.
        "batch": str(result.batch_id),
        "watermark": result.position.snapshot,
    }


def _comparison(reconciliation: Reconciliation) -> dict[str, int | float]:
    return {
        "reconcile_rows_compared": reconciliation.rows_compared,
        "reconcile_rows_lost": reconciliation.lost,
        "reconcile_rows_extra": reconciliation.extra,
        "reconcile_rows_stale": reconciliation.stale,
        "reconcile_rows_repaired": reconciliation.differing if reconciliation.is_repaired else 0,
        "reconcile_rows_read": reconciliation.rows_read,
        "reconcile_bytes_read": reconciliation.bytes_read,
        "reconcile_seconds": reconciliation.seconds,
    }
