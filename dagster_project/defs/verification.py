"""Holding published marts against raw, as asset checks of their own.

Belongs here: the checks, their job and when it runs. Does not belong here: how marts are held against raw (`marts.postgres.verifying`), and
what keeps a mart that differs from being published again (`marts.postgres.engine`).
"""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from dagster_project.components.known import partitions_of, tenant_of
from dagster_project.components.schedules import running
from dagster_project.marts.definition import definition
from dagster_project.marts.postgres.verifying import Verifying
from dagster_project.marts.verification import CHECK, Verification
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.quality.results import Verdict, record_verdict
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.share import share_of
from dagster_project.resources.warehouse import Warehouses
from dagster_project.warehouse import Namespace, Warehouse

_SCHEMA = dg.TableSchema([dg.TableColumn("stands"), dg.TableColumn("row")])


class VerificationConfig(dg.Config):
    """How much is computed again.

    Attributes:
        groups: Groups of each mart, at random; None for all of them.
        marts: Which marts; all that are selected if empty.
    """

    groups: int | None = Field(default=20, ge=1)
    marts: list[str] = Field(default_factory=list)


def verification(namespace: Namespace) -> dg.AssetChecksDefinition:
    """The checks of all marts of one warehouse; any of them can be run alone."""

    @dg.multi_asset_check(
        name=namespace.label("verification"),
        specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=_key(namespace, mart.name),
                description=(
                    "Groups of rows, computed again from raw, are as they are published. Where they are not, the mart is not published "
                    "again until `runmart verify --repair` has mended it."
                ),
                partitions_def=partitions_of(namespace),
            )
            for mart in share_of(namespace).plan.marts
        ],
        can_subset=True,
    )
    def check(
        context: dg.AssetCheckExecutionContext, config: VerificationConfig, warehouses: dg.ResourceParam[Warehouses]
    ) -> Iterator[dg.AssetCheckResult]:
        yield from _verify(context, config, warehouses.of(namespace, tenant_of(context)))

    return check


def _key(namespace: Namespace, mart: str) -> dg.AssetKey:
    return dg.AssetKey(namespace.path(*share_of(namespace).plan.published(mart)))


def _verify(context: dg.AssetCheckExecutionContext, config: VerificationConfig, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    """Hold the selected marts against raw."""
    plan = share_of(warehouse.namespace).plan
    selected = {key.asset_key.path[-1] for key in context.selected_asset_check_keys}
    wanted = [mart.name for mart in plan.marts if mart.name in selected and (not config.marts or mart.name in config.marts)]
    with warehouse.looking(TRANSFORM) as cursor:
        found = list(Verifying(cursor, plan, definition(), config.groups).verify(wanted))
    for one in found:
        sample = [{"is_published": each.is_published, "row": each.row} for each in one.sample]
        verdict = Verdict(plan.published(one.mart), CHECK, one.is_right, one.rows, one.differing, sample)
        record_verdict(warehouse.url, verdict, context.run.run_id)
        yield _result(one, _key(warehouse.namespace, one.mart))


def _result(found: Verification, asset: dg.AssetKey) -> dg.AssetCheckResult:
    rows = [dg.TableRecord({"stands": "published" if each.is_published else "made of raw", "row": each.row}) for each in found.sample]
    computed = "all rows" if found.groups is None else f"{found.groups:,} groups"
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=CHECK,
        passed=found.is_right,
        description=None
        if found.is_right
        else f"{found.differing:,} rows of {computed} differ; run `runmart verify {found.mart} --repair`",
        metadata={
            "computed_again": computed,
            "rows": found.rows,
            "differing_rows": found.differing,
            **({"differing": dg.MetadataValue.table(rows, _SCHEMA)} if rows else {}),
        },
    )


def checks_of(namespace: Namespace) -> dg.AssetSelection:
    """The checks, as what a job runs or leaves out."""
    return dg.AssetSelection.checks(*(dg.AssetCheckKey(_key(namespace, mart.name), CHECK) for mart in share_of(namespace).plan.marts))


def _schedule(namespace: Namespace, name: str, cron: str, groups: int | None) -> dg.ScheduleDefinition:
    config = {"ops": {namespace.label("verification"): {"config": {"groups": groups}}}}
    return running(name, "verify", cron, run_config=config, namespace=namespace)


@dg.definitions
def verifying(context: dg.ComponentLoadContext) -> dg.Definitions:
    """The checks, their job, and its schedules: a sample each day, everything once a week."""
    namespace = namespace_of(context)
    verify = dg.define_asset_job(
        namespace.label("verify"),
        checks_of(namespace),
        partitions_def=partitions_of(namespace),
        description="Compute groups of every mart again from raw, and compare them with what is published.",
    )
    daily, weekly = _schedule(namespace, "daily_verify", "0 5 * * 1-6", 50), _schedule(namespace, "weekly_verify", "0 5 * * 0", None)
    return dg.Definitions(asset_checks=[verification(namespace)], jobs=[verify], schedules=[daily, weekly])
