"""What tenants hand over once it is published, as an asset of their warehouses.

Belongs here: the asset. Does not belong here: how rows are handed over (`resources.handover`), and which (the contract of what gets them).
"""

import dagster as dg

from dagster_project.components.known import partitions_of, tenant_of
from dagster_project.contracts.contract import SystemContract
from dagster_project.internals.dagster import left_alone
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.handover import Handover, hand_over, receiver_of
from dagster_project.resources.warehouse import Sources, Warehouses
from dagster_project.warehouse import Namespace

_SCHEMA = dg.TableSchema([dg.TableColumn("table"), dg.TableColumn("written", "int"), dg.TableColumn("deleted", "int")])


def handing_over(namespace: Namespace, contract: SystemContract) -> dg.AssetsDefinition:
    """The asset of all tenants of a namespace, who hand over to a system."""

    @dg.asset(
        key=namespace.path(PUBLISHED, "handover"),
        deps=[dg.AssetKey(namespace.path(PUBLISHED, "publication"))],
        group_name=namespace.label("publication"),
        kinds={"postgres"},
        partitions_def=partitions_of(namespace),
    )
    def handover(
        context: dg.AssetExecutionContext, sources: Sources, warehouses: dg.ResourceParam[Warehouses]
    ) -> dg.MaterializeResult[None]:
        """Numbers of published marts, brought to where the shared warehouse reads them; no text of the tenant's own is among them."""
        handed_over = hand_over(contract, warehouses.of(namespace, tenant_of(context)), sources.url(contract.system))
        return left_alone(context.asset_key) if handed_over is None else _told(handed_over)

    return handover


def _told(handed_over: Handover) -> dg.MaterializeResult[None]:
    rows = [dg.TableRecord({"table": table, "written": each.written, "deleted": each.deleted}) for table, each in handed_over.rows.items()]
    return dg.MaterializeResult(metadata={"refresh_id": handed_over.refresh_id, "rows": dg.MetadataValue.table(rows, _SCHEMA)})


@dg.definitions
def handovers(context: dg.ComponentLoadContext) -> dg.Definitions:
    """The asset, where there are tenants who hand over."""
    namespace = namespace_of(context)
    contract = receiver_of(namespace.tenants_of) if namespace.tenants_of else None
    return dg.Definitions(assets=[handing_over(namespace, contract)] if contract else [])
