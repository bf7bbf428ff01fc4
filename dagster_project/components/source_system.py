"""A source system as Dagster assets: one asset per declared table, all materialized by one sync.

Belongs here: turning a contract into assets and a sync's result into their metadata. Does not belong here: how rows are copied
(`ingestion/`) and checked (`defs.quality`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import dagster as dg
from pydantic import BaseModel

from dagster_project.components.contract import SystemContract, load_contract
from dagster_project.ingestion.errors import SyncError
from dagster_project.ingestion.events import SyncEvent
from dagster_project.ingestion.sync import SyncResult, sync
from dagster_project.ingestion.watermark import TableSync
from dagster_project.resources.warehouse import Sources, Warehouse

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
        """The assets of the system."""
        return dg.Definitions(assets=[raw_assets(self.contract)])


def raw_assets(contract: SystemContract) -> dg.AssetsDefinition:
    """One asset per table, materialized together so that all of them stand at one source snapshot."""

    @dg.multi_asset(
        name=contract.raw_schema,
        specs=[
            dg.AssetSpec(
                key=[contract.system, table],
                description=declared.description,
                group_name=contract.system,
                kinds={"postgres"},
                metadata={"columns_read": len(declared.columns), "key": ", ".join(declared.key)},
            )
            for table, declared in contract.tables.items()
        ],
        pool=f"sync_{contract.system}",
    )
    def sync_system(context: dg.AssetExecutionContext, sources: Sources, warehouse: Warehouse) -> Iterator[dg.MaterializeResult[None]]:
        yield from _materialize(context, contract, sources, warehouse)

    return sync_system


def _materialize(
    context: dg.AssetExecutionContext, contract: SystemContract, sources: Sources, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult[None]]:
    def log(event: SyncEvent) -> None:
        table = event.table_sync
        if table is None:
            return
        context.log.info(
            f"{table.table}: {table.rows_read} rows read, {table.rows_inserted} inserted, {table.rows_updated} updated, "
            f"{table.rows_deleted} deleted in {table.seconds:.2f} s"
        )
        if table.new_columns:
            context.log.warning(
                f"{table.table}: new columns at the source are not declared and were not read: {', '.join(table.new_columns)}"
            )

    try:
        result = sync(contract, sources.url(contract.system), warehouse.url(), context.run_id, on_event=log)
    except SyncError as error:
        if error.is_transient:
            raise dg.RetryRequested(max_retries=_MAX_RETRIES, seconds_to_wait=2**context.retry_number) from error
        raise dg.Failure(str(error), allow_retries=False) from error
    for table in result.tables:
        yield dg.MaterializeResult(asset_key=[contract.system, table.table], metadata=_metadata(result, table))


def _metadata(result: SyncResult, table: TableSync) -> dict[str, dg.MetadataValue | int | float | str]:
    return {
        "dagster/row_count": table.source_rows,
        "rows_read": table.rows_read,
        "rows_inserted": table.rows_inserted,
        "rows_updated": table.rows_updated,
        "rows_deleted": table.rows_deleted,
        "seconds": table.seconds,
        "batch": result.batch_id,
        "watermark": result.position.snapshot,
        **({"new_columns_not_read": ", ".join(table.new_columns)} if table.new_columns else {}),
    }
