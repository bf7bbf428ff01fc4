"""Holding compiled checks against Great Expectations, as asset checks of their own.

Belongs here: these checks, their job and when it runs. Does not belong here: what is compared (`quality.agreement`), and the checks
themselves (`defs.quality`).
"""

from collections.abc import Iterator

import dagster as dg

from dagster_project.components.known import partitions_of, tenant_of
from dagster_project.components.schedules import running
from dagster_project.defs.quality import asset_of
from dagster_project.quality.agreement import Disagreement, disagreements
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.share import share_of
from dagster_project.resources.warehouse import Warehouses
from dagster_project.warehouse import Namespace, Warehouse

CHECK = "great_expectations_agrees"
JOB = "check_natively"

_SCHEMA = dg.TableSchema([dg.TableColumn("check"), dg.TableColumn("compiled"), dg.TableColumn("great_expectations")])


def agreement(namespace: Namespace) -> dg.AssetChecksDefinition:
    """The checks of all suites of one warehouse; any of them can be run alone."""

    @dg.multi_asset_check(
        name=namespace.label("agreement"),
        specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=asset_of(suite, namespace),
                description="Great Expectations, which reads all rows, comes to the verdicts that stand.",
                partitions_def=partitions_of(namespace),
            )
            for suite in share_of(namespace).suites.values()
        ],
        can_subset=True,
    )
    def check(context: dg.AssetCheckExecutionContext, warehouses: dg.ResourceParam[Warehouses]) -> Iterator[dg.AssetCheckResult]:
        yield from _compare(context, warehouses.of(namespace, tenant_of(context)))

    return check


def native_checks_of(namespace: Namespace) -> dg.AssetSelection:
    """The checks, as what a job runs or leaves out."""
    return dg.AssetSelection.checks(*(dg.AssetCheckKey(asset_of(suite, namespace), CHECK) for suite in share_of(namespace).suites.values()))


def _compare(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    selected = {key.asset_key for key in context.selected_asset_check_keys}
    share = share_of(warehouse.namespace)
    for suite in share.suites.values():
        asset = asset_of(suite, warehouse.namespace)
        if asset in selected:
            yield _result(asset, disagreements(warehouse.url, suite, share.checked))


def _result(asset: dg.AssetKey, found: list[Disagreement]) -> dg.AssetCheckResult:
    rows = [dg.TableRecord({"check": each.check_name, "compiled": each.compiled, "great_expectations": each.native}) for each in found]
    told = "; ".join(f"{each.check_name} {each.compiled}, natively {each.native}" for each in found)
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=CHECK,
        passed=not found,
        description=f"{told}. `runmart check` asks about all rows." if found else None,
        metadata={"differing": dg.MetadataValue.table(rows, _SCHEMA)} if rows else {},
    )


@dg.definitions
def agreeing(context: dg.ComponentLoadContext) -> dg.Definitions:
    """The checks, their job, and its schedule: once a week."""
    namespace = namespace_of(context)
    job = dg.define_asset_job(
        namespace.label(JOB),
        native_checks_of(namespace),
        partitions_def=partitions_of(namespace),
        description="Ask Great Expectations about all rows, and compare its verdicts with those that stand.",
    )
    weekly = running("weekly_native_check", JOB, "0 6 * * 0", namespace=namespace)
    return dg.Definitions(asset_checks=[agreement(namespace)], jobs=[job], schedules=[weekly])
