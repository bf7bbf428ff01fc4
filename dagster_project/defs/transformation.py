"""The dbt project as assets, and the publication of its marts.

Belongs here: which models are assets, when they refresh, and the one step after which analysts see them. Does not belong here: SQL
(`dbt_project/`) and checks written in Great Expectations (`defs.quality`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets

from dagster_project.defs.soundness import unsound
from dagster_project.resources.dbt import Dbt, ensure_manifest
from dagster_project.resources.warehouse import Warehouse

_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=24), warn_window=timedelta(hours=3))

# Building and publishing write the same tables: never two of them at once.
_POOL = "marts"


class ReadsSoundData(dg.AutomationCondition[dg.AssetKey]):
    """Everything that the asset reads, however far up, has passed its blocking checks."""

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Keep the candidates if so, else none of them."""
        is_wanted = not context.candidate_subset.is_empty
        is_sound = is_wanted and not unsound(context.asset_graph_view.instance, read_by([context.key]))
        return dg.AutomationResult(context, true_subset=context.candidate_subset if is_sound else context.get_empty_subset())


# New data upstream refreshes what depends on it, but never on top of data whose blocking checks failed.
ON_SOUND_DATA = dg.AutomationCondition.eager() & ReadsSoundData()


class Translator(DagsterDbtTranslator):
    """Keys `[system, table]` for sources, `[schema, model]` for models; the schema is the group."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """The default spec with our key, group, automation and freshness."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        if unique_id.startswith("source."):
            return spec
        node = manifest["nodes"][unique_id]
        is_mart = node["schema"] == "analytics"
        return spec.replace_attributes(
            key=_key(node),
            group_name=node["schema"],
            automation_condition=ON_SOUND_DATA,
            freshness_policy=_FRESHNESS if is_mart else None,
        )


def _key(node: Mapping[str, Any]) -> dg.AssetKey:
    if node["resource_type"] == "source":
        return dg.AssetKey([node["source_name"], node["name"]])
    return dg.AssetKey([node["schema"], node["name"]])


@cache
def _raw_behind() -> dict[dg.AssetKey, frozenset[dg.AssetKey]]:
    """For every model, the raw tables that it reads, through whatever models."""
    manifest = json.loads(ensure_manifest().read_text(encoding="utf-8"))
    nodes = {**manifest["sources"], **manifest["nodes"]}

    @cache
    def behind(unique_id: str) -> frozenset[dg.AssetKey]:
        parents = frozenset().union(*(behind(parent) for parent in manifest["parent_map"][unique_id]))
        return parents | {_key(nodes[unique_id])} if unique_id.startswith("source.") else parents

    return {_key(nodes[unique_id]): behind(unique_id) for unique_id in nodes if unique_id.startswith("model.")}


def read_by(assets: Iterable[dg.AssetKey]) -> frozenset[dg.AssetKey]:
    """What must be sound before these are built: the raw tables behind models, the marts and what is behind them for the publication."""
    wanted = set(assets)
    if PUBLICATION in wanted:
        wanted |= set(_MARTS)
    raw = frozenset().union(*(_raw_behind().get(asset, frozenset()) for asset in wanted))
    return raw | frozenset(_MARTS) if PUBLICATION in wanted else raw


def _require_sound(instance: dg.DagsterInstance, assets: Iterable[dg.AssetKey], refused: str) -> None:
    reasons = unsound(instance, read_by(assets))
    if reasons:
        raise dg.Failure(f"{refused}: {'; '.join(reasons)}", allow_retries=False)


@dbt_assets(manifest=ensure_manifest(), dagster_dbt_translator=Translator(), name="transformation", pool=_POOL)
def transformation(context: dg.AssetExecutionContext, dbt: Dbt) -> Iterator[Any]:
    """Build and test the selected models, if the raw tables that they read are sound."""
    _require_sound(context.instance, context.selected_asset_keys, "nothing was built")
    yield from dbt.cli(["build", "--exclude-resource-type", "unit_test"], context=context).stream()


_MARTS = sorted(key for key in transformation.keys if key.path[0] == "analytics")
PUBLICATION = dg.AssetKey(["analytics", "publication"])


@dg.asset(
    key=PUBLICATION,
    deps=_MARTS,
    group_name="analytics",
    kinds={"postgres"},
    automation_condition=ON_SOUND_DATA,
    pool=_POOL,
)
def publication(context: dg.AssetExecutionContext, dbt: Dbt, warehouse: Warehouse) -> dg.MaterializeResult[None]:
    """All marts of one refresh, made visible to analysts in one transaction once every blocking check on them has passed."""
    _require_sound(context.instance, [PUBLICATION], "nothing was published")
    dbt.cli(["run-operation", "publish"]).wait()
    with warehouse.connection("runmart_transform") as connection, connection.cursor() as cursor:
        rows = {}
        for key in _MARTS:
            cursor.execute(f'select count(*) from analytics."{key.path[-1]}"')
            rows[key.path[-1]] = cursor.fetchall()[0][0]
    return dg.MaterializeResult(
        metadata={
            "marts": len(rows),
            "rows": dg.MetadataValue.table([dg.TableRecord({"mart": mart, "rows": count}) for mart, count in rows.items()]),
        }
    )
