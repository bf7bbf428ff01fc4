"""Whether files are in the storage as raw rows say, as asset checks of their own.

Belongs here: the checks, and how a result looks in Dagster. Does not belong here: what is looked at and kept (`quality.stored_files`), and
when the checks run: with those of the same assets (`defs.automation`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import psycopg2

from dagster_project.components.known import partitions_of, tenant_of
from dagster_project.components.telling import news
from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import BoundTable
from dagster_project.defs.quality import CheckConfig, table_of
from dagster_project.quality.storage import StorageError
from dagster_project.quality.stored_files import CHECK, Found, check_files, tables_with_files
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.file_storage import FileStorage
from dagster_project.resources.share import share_of
from dagster_project.resources.warehouse import Warehouses
from dagster_project.warehouse import Namespace, Warehouse

_MAX_RETRIES = 3


def file_checks(contract: SystemContract, namespace: Namespace) -> dg.AssetChecksDefinition:
    """The checks of the tables of a system whose rows name files; any of them can be run alone."""

    @dg.multi_asset_check(
        name=_step_of(contract, namespace),
        specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=_asset_of(table, namespace),
                description="The files that rows name are where their tenant's files are, with the digest and the size that the rows say.",
                # Its failure is a warning, and blocks nothing. What is blocking is waited for: marts say which files were verified.
                blocking=True,
                partitions_def=partitions_of(namespace),
            )
            for table in tables_with_files(contract)
        ],
        can_subset=True,
    )
    def check(
        context: dg.AssetCheckExecutionContext,
        config: CheckConfig,
        warehouses: dg.ResourceParam[Warehouses],
        file_storage: dg.ResourceParam[FileStorage],
    ) -> Iterator[dg.AssetCheckResult]:
        warehouse = warehouses.of(namespace, tenant_of(context))
        yield from news(context, _run(context, contract, warehouse, file_storage, everything=config.everything))

    return check


def reading_everything(namespace: Namespace) -> Mapping[str, Any]:
    """Configuration of the steps of a run whose checks read all files."""
    systems = (contract for contract in share_of(namespace).contracts.values() if tables_with_files(contract))
    return {_step_of(contract, namespace): {"config": {"everything": True}} for contract in systems}


def _step_of(contract: SystemContract, namespace: Namespace) -> str:
    return namespace.label(f"{contract.system}_files")


def _asset_of(table: BoundTable, namespace: Namespace) -> dg.AssetKey:
    return dg.AssetKey(namespace.path(table.system, table.name))


def _run(
    context: dg.AssetCheckExecutionContext, contract: SystemContract, warehouse: Warehouse, storage: FileStorage, *, everything: bool
) -> Iterator[dg.AssetCheckResult]:
    op_context = context.op_execution_context
    selected = {key.asset_key for key in context.selected_asset_check_keys}
    for table in tables_with_files(contract):
        asset = _asset_of(table, warehouse.namespace)
        if asset not in selected:
            continue
        try:
            found = check_files(warehouse, table, storage.opened(), op_context.run_id, everything=everything)
        except psycopg2.OperationalError as error:
            raise dg.RetryRequested(max_retries=_MAX_RETRIES, seconds_to_wait=2**op_context.retry_number) from error
        except StorageError as error:
            if op_context.retry_number < _MAX_RETRIES:
                raise dg.RetryRequested(max_retries=_MAX_RETRIES, seconds_to_wait=2**op_context.retry_number) from error
            # Marts do not wait for a storage: the step ends well, and its check does not.
            yield _unread(asset, str(error))
        else:
            context.log.info(f"{table.raw_name}: {found.read:,} of {found.files:,} files were looked at")
            yield _result(asset, found)


def _result(asset: dg.AssetKey, found: Found) -> dg.AssetCheckResult:
    told = ", ".join(f"{problem} {files:,}" for problem, files in found.problems.items())
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=CHECK,
        passed=not found.failing,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"files that are not as their rows say: {told}" if told else None,
        metadata={
            "failing_rows": found.failing,
            "evaluated_rows": found.files,
            **({"failing_sample": table_of(found.sample)} if found.sample else {}),
        },
    )


def _unread(asset: dg.AssetKey, error: str) -> dg.AssetCheckResult:
    """That nothing could be found out; what was known stays."""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=CHECK,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=error,
        metadata={"error": error},
    )


@dg.definitions
def storage(context: dg.ComponentLoadContext) -> dg.Definitions:
    """The checks, for systems with tables whose rows name files."""
    namespace = namespace_of(context)
    systems = [contract for contract in share_of(namespace).contracts.values() if tables_with_files(contract)]
    return dg.Definitions(asset_checks=[file_checks(contract, namespace) for contract in systems])
