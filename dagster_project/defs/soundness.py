"""Whether what a step reads has passed its blocking checks, whoever starts the step.

Belongs here: the rule, asked in three places: before models are built, before marts are published, and before the automation asks for
either. Dagster's own blocking holds within one run and one step of the graph only: a refresh by hand would build on a raw table whose check
failed in the run before, and a mart further down would not know of it, since the staging views in between have no checks of their own.
"""

from collections.abc import Collection, Iterator, Mapping

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord, AssetCheckExecutionRecordStatus

from dagster_project.quality.suites import Severity, load_suites

_VERDICTS = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


def unsound(instance: dg.DagsterInstance, assets: Collection[dg.AssetKey]) -> list[str]:
    """Why the assets must not be built upon: their blocking checks that failed, or did not run since they were last materialized.

    Returns:
        One line per asset; none if all is well.
    """
    checks = _blocking_checks(assets)
    latest = last_verdicts(instance, [key for keys in checks.values() for key in keys])
    newest = {
        record.asset_entry.asset_key: record.asset_entry.last_materialization_storage_id
        for record in instance.get_asset_records(list(assets))
    }
    return [line for asset, keys in checks.items() for line in _complaints(asset, keys, latest, newest.get(asset))]


def last_verdicts(instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]) -> dict[dg.AssetCheckKey, AssetCheckExecutionRecord]:
    """The last execution of each check that came to a verdict; one that is only planned, or whose run ended before it, does not count."""
    storage = instance.event_log_storage
    found = dict(storage.get_latest_asset_check_execution_by_key(list(checks)))
    for key in [key for key, record in found.items() if record.status not in _VERDICTS]:
        earlier = storage.get_asset_check_execution_history(key, limit=1, status=_VERDICTS)
        del found[key]
        found.update((key, record) for record in earlier)
    return found


def _blocking_checks(assets: Collection[dg.AssetKey]) -> dict[dg.AssetKey, list[dg.AssetCheckKey]]:
    suites = {dg.AssetKey(suite.asset_key): suite for suite in load_suites().values()}
    return {
        asset: [
            dg.AssetCheckKey(asset, suites[asset].check_name(expectation))
            for expectation in suites[asset].expectations
            if expectation.severity is Severity.CRITICAL
        ]
        for asset in sorted(assets)
        if asset in suites
    }


def _complaints(
    asset: dg.AssetKey,
    checks: list[dg.AssetCheckKey],
    latest: Mapping[dg.AssetCheckKey, AssetCheckExecutionRecord],
    materialization: int | None,
) -> Iterator[str]:
    if materialization is None:
        yield f"{asset.to_user_string()} has never been materialized"
        return
    failed = [check.name for check in checks if check in latest and latest[check].status is AssetCheckExecutionRecordStatus.FAILED]
    stale = [check.name for check in checks if check not in latest or _target(latest[check]) != materialization]
    if failed:
        yield f"{asset.to_user_string()} fails {', '.join(failed)}"
    elif stale:
        yield f"{asset.to_user_string()} has changed since {len(stale)} of its checks last ran: `runmart check` runs them"


def _target(record: AssetCheckExecutionRecord) -> int | None:
    evaluation = record.event.asset_check_evaluation if record.event else None
    return evaluation.target_materialization_data.storage_id if evaluation and evaluation.target_materialization_data else None
