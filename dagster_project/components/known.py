"""What the instance knows of one warehouse.

Belongs here: asking it, where the warehouses of tenants are partitions of the same assets. Does not belong here: what a run tells the
instance (`telling`).
"""

from collections.abc import Collection
from dataclasses import dataclass

import dagster as dg

from dagster_project.internals.dagster import CheckRecord, last_verdicts
from dagster_project.warehouse import Namespace

AnyContext = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext


def partitions_of(namespace: Namespace) -> dg.DynamicPartitionsDefinition | None:
    """The tenants of a namespace; None if it is of one warehouse."""
    return dg.DynamicPartitionsDefinition(name=namespace.tenants_of) if namespace.tenants_of else None


def known_tenants(instance: dg.DagsterInstance, namespace: Namespace) -> list[str]:
    """The tenants of a namespace that the instance knows; none if it is of one warehouse."""
    return [*instance.get_dynamic_partitions(namespace.tenants_of)] if namespace.tenants_of else []


def tenant_of(context: AnyContext) -> str | None:
    """The tenant whose warehouse a step is about; None if it is no tenant's."""
    op_context = context if isinstance(context, dg.OpExecutionContext) else context.op_execution_context
    return op_context.partition_key if op_context.has_partition_key else None


@dataclass(frozen=True)
class Known:
    """What was told of one warehouse.

    Attributes:
        instance: Where it was told.
        tenant: The tenant whose warehouse it is; None if it is no tenant's.
    """

    instance: dg.DagsterInstance
    tenant: str | None = None

    @classmethod
    def to(cls, context: AnyContext) -> "Known":
        """What is known of the warehouse that a step is about."""
        return cls(context.instance, tenant_of(context))

    def materializations(self, assets: Collection[dg.AssetKey]) -> dict[dg.AssetKey, dg.EventLogRecord]:
        """By asset that was ever materialized, when it was last, in the order of the assets."""
        if self.tenant is None:
            entries = {record.asset_entry.asset_key: record.asset_entry for record in self.instance.get_asset_records(list(assets))}
            return {asset: last for asset in assets if asset in entries and (last := entries[asset].last_materialization_record)}
        found = {asset: self.materializations_of(asset, limit=1) for asset in assets}
        return {asset: records[0] for asset, records in found.items() if records}

    def materializations_of(self, asset: dg.AssetKey, limit: int, after: int | None = None) -> list[dg.EventLogRecord]:
        """Materializations of one asset: the newest first, or the oldest first of those after one of them."""
        partitions = [self.tenant] if self.tenant else None
        wanted = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=partitions, after_storage_id=after)
        return [*self.instance.fetch_materializations(wanted, limit=limit, ascending=after is not None).records]

    def verdicts(self, checks: Collection[dg.AssetCheckKey]) -> dict[dg.AssetCheckKey, CheckRecord]:
        """By check that ever came to a verdict, when it last did."""
        return last_verdicts(self.instance, checks, self.tenant)


def warehouses_of(instance: dg.DagsterInstance, namespace: Namespace) -> list[Known]:
    """What is known of each warehouse of a namespace: of each tenant that the instance knows, or of the only one."""
    return [Known(instance, tenant) for tenant in known_tenants(instance, namespace)] if namespace.tenants_of else [Known(instance)]
