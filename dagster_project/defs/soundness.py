"""Whether what a step reads has passed its blocking checks, whoever starts the step.

Belongs here: the rule, asked in three places: before models are built, before marts are published, and before the automation asks for
either; and waiting for verdicts that another run is about to give. Dagster's own blocking holds within one run and one step of the graph
only: a refresh by hand would build on a raw table whose check failed in the run before, and a mart further down would not know of it, since
the staging views in between have no checks of their own.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from dagster_project.components.known import Known
from dagster_project.components.telling import target_of
from dagster_project.internals.dagster import has_failed
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.quality.accounting import CHECK as ACCOUNTED
from dagster_project.quality.suites import Severity, Suite, load_suites
from dagster_project.resources.run_process import is_orphan
from dagster_project.warehouse import shared_part

_POLL_SECONDS = 0.5
_ASSETS_NAMED = 3


@dataclass(frozen=True)
class Soundness:
    """What speaks against building upon assets; nothing does if all are empty, but for marts that fail, which hold back themselves.

    Attributes:
        unmaterialized: Assets that have never been materialized.
        failed: By raw table, the blocking checks that failed when they last ran.
        failing_marts: By mart, the critical checks that failed when they last ran.
        unchecked: By asset whose blocking checks did not all run since it was last materialized, the run that materialized it.
    """

    unmaterialized: Sequence[dg.AssetKey]
    failed: Mapping[dg.AssetKey, Sequence[str]]
    failing_marts: Mapping[dg.AssetKey, Sequence[str]]
    unchecked: Mapping[dg.AssetKey, str]

    def complaints(self) -> list[str]:
        """What speaks against it, in words; none if all is well."""
        lines = [f"{asset.to_user_string()} fails {', '.join(checks)}" for asset, checks in self.failed.items()]
        if self.unmaterialized:
            lines.append(f"never materialized: {_names(self.unmaterialized)}; `runmart sync` reads raw tables")
        if self.unchecked:
            lines.append(f"not checked since last materialized: {_names([*self.unchecked])}; `runmart check` runs the checks")
        return lines


def soundness(known: Known, assets: Collection[dg.AssetKey]) -> Soundness:
    """What is known of the blocking checks of assets; those without any are sound."""
    checks = _critical_checks(assets)
    latest = known.verdicts([key for keys in checks.values() for key in keys])
    materialized = known.materializations(checks)
    failed = {
        asset: [check.name for check in checks[asset] if _can_block(check) and has_failed(latest.get(check))] for asset in materialized
    }
    return Soundness(
        unmaterialized=[asset for asset in checks if asset not in materialized],
        failed={asset: names for asset, names in failed.items() if names and not _is_mart(asset)},
        failing_marts={asset: names for asset, names in failed.items() if names and _is_mart(asset)},
        unchecked={
            asset: last.run_id
            for asset, last in materialized.items()
            if not failed[asset] and any(target_of(latest.get(check)) != last.storage_id for check in checks[asset])
        },
    )


def soundness_once_checked(known: Known, assets: Collection[dg.AssetKey], run_id: str, say: Callable[[str], None]) -> Soundness:
    """`soundness`, once the other runs that have just materialized some of the assets have checked them or ended.

    Args:
        known: Of the warehouse that they are in.
        assets: What is to be built upon.
        run_id: The run that asks; it does not wait for itself.
        say: Called with a line for each run that is waited for.
    """
    told: set[str] = set()
    ended = {run_id}
    while True:
        found = soundness(known, assets)
        runs = set(found.unchecked.values()) - ended
        if not runs:
            return found
        going_on = {run for run in runs if _goes_on(known.instance, run)}
        # One that has ended may have given its verdicts after they were read: they are read once more.
        ended |= runs - going_on
        for run in sorted(going_on - told):
            say(f"waiting for run {run}, which has materialized what is read here, to check it")
        told |= going_on
        if going_on:
            time.sleep(_POLL_SECONDS)


def _critical_checks(assets: Collection[dg.AssetKey]) -> dict[dg.AssetKey, list[dg.AssetCheckKey]]:
    """By asset that has a suite, the checks that say whether it can be built upon; of a raw table the last says what came of the others."""
    suites: dict[tuple[str, ...], Suite] = {suite.asset_key: suite for suite in load_suites().values()}
    found = ((asset, suites.get(shared_part(asset.path))) for asset in sorted(assets))
    return {
        asset: [
            *(dg.AssetCheckKey(asset, each.meta.check) for each in suite.expectations if each.severity is Severity.CRITICAL),
            *([dg.AssetCheckKey(asset, ACCOUNTED)] if suite.system != PUBLISHED else []),
        ]
        for asset, suite in found
        if suite
    }


def _can_block(check: dg.AssetCheckKey) -> bool:
    """Whether an asset that fails it holds back anything by itself: raw rows that fail others are set aside, or their table does."""
    return _is_mart(check.asset_key) or check.name == ACCOUNTED


def _is_mart(asset: dg.AssetKey) -> bool:
    return shared_part(asset.path)[0] == PUBLISHED


def _goes_on(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is not None and not run.is_finished and not is_orphan(run)


def _names(assets: Sequence[dg.AssetKey]) -> str:
    """The first few by name, the others by number."""
    names = ", ".join(asset.to_user_string() for asset in assets[:_ASSETS_NAMED])
    return f"{names} and {len(assets) - _ASSETS_NAMED} more" if len(assets) > _ASSETS_NAMED else names
