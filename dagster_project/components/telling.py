"""What a run tells Dagster of assets and checks: what is not as Dagster knows it.

Belongs here: the rule, for all steps. An asset that has not changed is left alone, and a check that passes again on what it has passed on,
with the same numbers, is not told again. What a run stores and shows so costs what changed, not what exists. Does not belong here: what has
changed, which each step finds out for itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from dagster_project.components.known import Known
from dagster_project.internals.dagster import CheckRecord, has_failed


def target_of(record: CheckRecord | None) -> int | None:
    """The materialization that a check has looked at."""
    evaluation = record.event.asset_check_evaluation if record and record.event else None
    return evaluation.target_materialization_data.storage_id if evaluation and evaluation.target_materialization_data else None


def news(context: dg.AssetCheckExecutionContext, results: Iterable[dg.AssetCheckResult]) -> Iterator[dg.AssetCheckResult]:
    """The results that a step has to tell: those of checks that were asked for by themselves, and what is not known.

    Args:
        context: Of the step; its run may also be about the assets.
        results: What came of its checks.
    """
    checks = context.selected_asset_check_keys
    known = Known.to(context)
    latest, standing = known.verdicts(checks), known.materializations({check.asset_key for check in checks})
    with_assets = context.op_execution_context.job_def.asset_layer.selected_asset_keys
    for result in results:
        asset, name = _named(result)
        last = standing.get(asset)
        verdict = latest.get(dg.AssetCheckKey(asset, name))
        is_known = verdict is not None and _is_known(result, verdict) and target_of(verdict) == (last.storage_id if last else None)
        if asset not in with_assets or not is_known:
            yield result


def _is_known(result: dg.AssetCheckResult, verdict: CheckRecord) -> bool:
    """Whether a result is good, as its last one was, and has the same numbers, which the UI draws."""
    told = verdict.event.asset_check_evaluation if verdict.event else None
    return result.passed and not has_failed(verdict) and told is not None and _numbers(result.metadata) == _numbers(told.metadata)


def _numbers(metadata: Mapping[str, Any]) -> dict[str, int | None]:
    return {name: value.value for name, value in metadata.items() if isinstance(value, dg.IntMetadataValue)}


def _named(result: dg.AssetCheckResult) -> tuple[dg.AssetKey, str]:
    if result.asset_key is None or result.check_name is None:
        raise ValueError(f"a result names neither its asset nor its check: {result}")
    return result.asset_key, result.check_name
