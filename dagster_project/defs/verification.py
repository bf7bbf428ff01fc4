"""Holding published marts against raw, as asset checks of their own.

Belongs here: the checks, their job and when it runs. Does not belong here: how marts are held against raw (`marts.postgres.verifying`), and
what keeps a mart that differs from being published again (`marts.postgres.engine`).
"""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from dagster_project.marts.definition import definition
from dagster_project.marts.postgres.verifying import Verifying
from dagster_project.marts.verification import CHECK, Verification
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.quality.results import Verdict, record_verdict
from dagster_project.resources.manifest import load_plan
from dagster_project.resources.warehouse import Warehouse

_SCHEMA = dg.TableSchema([dg.TableColumn("stands"), dg.TableColumn("row")])


class VerificationConfig(dg.Config):
    """How much is computed again.

    Attributes:
        groups: Groups of each mart, at random; None for all of them.
        marts: Which marts; all that are selected if empty.
    """

    groups: int | None = Field(default=20, ge=1)
    marts: list[str] = Field(default_factory=list)


_MARTS = {mart.name: dg.AssetKey(["analytics", mart.name]) for mart in load_plan().marts}


@dg.multi_asset_check(
    name="verification",
    specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset=key,
            description=(
                "Groups of rows, computed again from raw, are as they are published. Where they are not, the mart is not published again "
                "until `runmart verify --repair` has mended it."
            ),
        )
        for key in _MARTS.values()
    ],
    can_subset=True,
)
def verification(context: dg.AssetCheckExecutionContext, config: VerificationConfig, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    """Hold the selected marts against raw."""
    selected = {key.asset_key for key in context.selected_asset_check_keys}
    wanted = [name for name, key in _MARTS.items() if key in selected and (not config.marts or name in config.marts)]
    with warehouse.looking(TRANSFORM) as cursor:
        found = list(Verifying(cursor, load_plan(), definition(), config.groups).verify(wanted))
    for one in found:
        sample = [{"is_published": each.is_published, "row": each.row} for each in one.sample]
        verdict = Verdict(_MARTS[one.mart].path, CHECK, one.is_right, one.rows, one.differing, sample)
        record_verdict(warehouse.url(), verdict, context.run.run_id)
        yield _result(one)


def _result(found: Verification) -> dg.AssetCheckResult:
    rows = [dg.TableRecord({"stands": "published" if each.is_published else "made of raw", "row": each.row}) for each in found.sample]
    computed = "all rows" if found.groups is None else f"{found.groups:,} groups"
    return dg.AssetCheckResult(
        asset_key=_MARTS[found.mart],
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


verify = dg.define_asset_job(
    "verify",
    dg.AssetSelection.checks(verification),
    description="Compute groups of every mart again from raw, and compare them with what is published.",
)


def _schedule(name: str, cron: str, groups: int | None) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=name,
        job=verify,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        run_config={"ops": {"verification": {"config": {"groups": groups}}}},
    )


@dg.definitions
def verifying() -> dg.Definitions:
    """The checks, their job, and its schedules: a sample each day, everything once a week."""
    return dg.Definitions(
        asset_checks=[verification],
        jobs=[verify],
        schedules=[_schedule("daily_verify", "0 5 * * 1-6", 50), _schedule("weekly_verify", "0 5 * * 0", None)],
    )
