"""The dbt project as assets, and the publication of its marts.

Belongs here: which models are assets, when they refresh, and the one step after which analysts see them. Does not belong here: SQL
(`dbt_project/`) and checks written in Great Expectations (`defs.quality`).
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets

from dagster_project.resources.dbt import Dbt, ensure_manifest
from dagster_project.resources.warehouse import Warehouse

# New data upstream refreshes what depends on it, but never on top of data whose blocking checks failed.
ON_CHECKED_DATA = dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()

_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=24), warn_window=timedelta(hours=3))

# Building and publishing write the same tables: never two of them at once.
_POOL = "marts"


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
            key=dg.AssetKey([node["schema"], node["name"]]),
            group_name=node["schema"],
            automation_condition=ON_CHECKED_DATA,
            freshness_policy=_FRESHNESS if is_mart else None,
        )


@dbt_assets(manifest=ensure_manifest(), dagster_dbt_translator=Translator(), name="transformation", pool=_POOL)
def transformation(context: dg.AssetExecutionContext, dbt: Dbt) -> Iterator[Any]:
    """Build and test the selected models."""
    yield from dbt.cli(["build", "--exclude-resource-type", "unit_test"], context=context).stream()


_MARTS = [key for key in transformation.keys if key.path[0] == "analytics"]


@dg.asset(
    key=["analytics", "publication"],
    deps=_MARTS,
    group_name="analytics",
    kinds={"postgres"},
    automation_condition=ON_CHECKED_DATA,
    pool=_POOL,
)
def publication(dbt: Dbt, warehouse: Warehouse) -> dg.MaterializeResult[None]:
    """All marts of one refresh, made visible to analysts in one transaction once every blocking check on them has passed."""
    dbt.cli(["run-operation", "publish"]).wait()
    with warehouse.connection("runmart_transform") as connection, connection.cursor() as cursor:
        rows = {}
        for key in sorted(_MARTS):
            cursor.execute(f'select count(*) from analytics."{key.path[-1]}"')
            rows[key.path[-1]] = cursor.fetchall()[0][0]
    return dg.MaterializeResult(
        metadata={
            "marts": len(rows),
            "rows": dg.MetadataValue.table([dg.TableRecord({"mart": mart, "rows": count}) for mart, count in rows.items()]),
        }
    )
