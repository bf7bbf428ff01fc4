"""The dbt project as assets, and the publication of its marts.

Belongs here: which models are assets, when they refresh, and the one step after which analysts see them. Does not belong here: SQL
(`dbt_project/`), what is new (`marts.refreshes`), and checks written in Great Expectations (`defs.quality`).
"""

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtProject, dbt_assets

from dagster_project.components.left_alone import left_alone
from dagster_project.defs.soundness import UNCHANGED_SINCE, passed_as_it_stands, soundness, soundness_once_checked
from dagster_project.marts.definition import definition
from dagster_project.marts.engine import Engine, NothingPublished
from dagster_project.marts.lineage import MartDeclarationError
from dagster_project.marts.postgres.engine import PostgresEngine
from dagster_project.marts.refreshes import last_refresh, nothing_new
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.resources.dbt import Dbt, built_models, ensure_manifest, load_plan
from dagster_project.resources.warehouse import Warehouse
from dagster_project.settings import Settings

_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=24), warn_window=timedelta(hours=3))

_ROWS_SCHEMA = dg.TableSchema([dg.TableColumn("mart"), dg.TableColumn("inserted", "int"), dg.TableColumn("deleted", "int")])

# A build that a sync has overtaken is repeated; each time there is less to do.
_MAX_BUILDS = 3

# Names, for `dbt_project/macros/refresh.sql`, the refresh that a build belongs to.
_REFRESH = "RUNMART_REFRESH"

# Building and publishing write the same tables: never two of them at once.
_POOL = "marts"


class ReadsSoundData(dg.AutomationCondition[dg.AssetKey]):
    """Everything that the asset reads, however far up, has passed its blocking checks."""

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Keep the candidates if so, else none of them."""
        is_wanted = not context.candidate_subset.is_empty
        is_sound = (
            is_wanted
            and not soundness(context.asset_graph_view.instance, read_by(context.asset_graph_view.instance, [context.key])).complaints()
        )
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

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """The default spec with the description that the test has in dbt; Dagster's own looks for it elsewhere."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(description=manifest["nodes"][unique_id]["description"])


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


def _never_synced(instance: dg.DagsterInstance, models: Iterable[dg.AssetKey]) -> tuple[list[str], frozenset[dg.AssetKey]]:
    """What cannot be built yet, because raw tables behind it were never synced.

    Returns:
        The selectors that leave it out of a dbt command, and the models.
    """
    missing = set(soundness(instance, frozenset().union(*(_raw_behind().get(model, frozenset()) for model in models))).unmaterialized)
    selectors = [f"source:{'.'.join(table.path)}+" for table in sorted(missing)]
    return selectors, frozenset(model for model in models if missing & _raw_behind().get(model, frozenset()))


def read_by(instance: dg.DagsterInstance, assets: Iterable[dg.AssetKey]) -> frozenset[dg.AssetKey]:
    """What must be sound before these are built: raw tables behind models; for the publication the marts that there are, and theirs."""
    wanted = frozenset(assets)
    marts = frozenset(_MARTS) - _never_synced(instance, _MARTS)[1] if PUBLICATION in wanted else frozenset()
    return marts.union(*(_raw_behind().get(asset, frozenset()) for asset in wanted | marts))


def _require_sound(context: dg.AssetExecutionContext, assets: Iterable[dg.AssetKey], refused: str) -> None:
    found = soundness_once_checked(context.instance, read_by(context.instance, assets), context.run_id, context.log.info)
    if complaints := found.complaints():
        raise dg.Failure(f"{refused}: {'; '.join(complaints)}", allow_retries=False)


class RefreshConfig(dg.Config):
    """How a refresh goes about it.

    Attributes:
        full: Recompute everything, instead of what new batches have touched.
    """

    full: bool = False


@dbt_assets(manifest=ensure_manifest(), dagster_dbt_translator=Translator(), name="transformation", pool=_POOL)
def transformation(context: dg.AssetExecutionContext, config: RefreshConfig, dbt: Dbt, warehouse: Warehouse) -> Iterator[Any]:
    """Build and test the selected models, if the raw tables that they read are sound and anything in them is new.

    Models of raw tables that were never synced are left out, unless there are no others.
    """
    selectors, left_out = _never_synced(context.instance, context.selected_asset_keys)
    if left_out >= context.selected_asset_keys:
        selectors, left_out = [], frozenset()
    _require_sound(context, context.selected_asset_keys - left_out, "nothing was built")
    build = ["build", "--exclude-resource-type", "unit_test"]
    if not context.selected_asset_keys:
        # Checks alone are asked about what is there.
        yield from dbt.cli(build, context=context).stream()
        return
    if left_out:
        names = ", ".join(model.path[-1] for model in sorted(left_out))
        context.log.warning(f"left out, because raw tables behind them were never synced: {names}")
        build += ["--exclude", *selectors]
    unchanged = None if config.full else _unchanged(context, warehouse, left_out)
    if unchanged is not None:
        yield from unchanged
        return
    yield from map(left_alone, _in_order(context, left_out))
    for attempt in range(_MAX_BUILDS):
        with _begun(warehouse, config, left_out):
            invocation = dbt.cli(build, context=context)
            # What a build has found that is repeated, its repetition finds again.
            yield from invocation.stream() if attempt == 0 else _waited_for(invocation)
        with _engine(warehouse) as engine:
            if engine.end(built_models(invocation.get_artifact("run_results.json"))):
                return
        context.log.info("a sync was committed while the marts were built: building what it touched")
    raise dg.Failure(f"syncs were committed during each of {_MAX_BUILDS} builds; refresh again when none is running")


@contextmanager
def _engine(warehouse: Warehouse) -> Iterator[Engine]:
    with warehouse.opened(TRANSFORM) as connection:
        try:
            yield PostgresEngine(connection, load_plan(), definition(), Settings.from_environment().history_days)
        except MartDeclarationError as error:
            raise dg.Failure(f"Nothing is published: {error}", allow_retries=False) from error


@contextmanager
def _begun(warehouse: Warehouse, config: RefreshConfig, left_out: Iterable[dg.AssetKey]) -> Iterator[None]:
    """Begin a refresh, and tell the dbt commands within which it is."""
    with _engine(warehouse) as engine:
        begun = engine.begin(full=config.full, left_out=[model.path[-1] for model in left_out])
    os.environ[_REFRESH] = begun.started_at.isoformat()
    try:
        yield
    finally:
        del os.environ[_REFRESH]


def _waited_for(invocation: DbtCliInvocation) -> Sequence[Any]:
    invocation.wait()
    return ()


def _in_order(context: dg.AssetExecutionContext, models: Collection[dg.AssetKey]) -> list[dg.AssetKey]:
    """Models as Dagster wants them: what is upstream first."""
    return [key for key in TopologicalSorter(context.assets_def.asset_deps).static_order() if key in models]


def _unchanged(
    context: dg.AssetExecutionContext, warehouse: Warehouse, left_out: Collection[dg.AssetKey]
) -> Sequence[dg.MaterializeResult[None] | dg.AssetCheckResult] | None:
    """What a build would find if nothing is new: the models as they are, and their checks, which have passed on them.

    None if there is something to build, or a check that did not pass on what is there: dbt has to look.
    """
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        current = nothing_new(cursor)
    checked = [check for check in context.selected_asset_check_keys if check.asset_key not in left_out]
    verdicts = None if current is None else passed_as_it_stands(context.instance, checked)
    if current is None or verdicts is None:
        return None
    metadata = {UNCHANGED_SINCE: current.refresh_id}
    # A model stands before its checks.
    models: list[dg.MaterializeResult[Any]] = [
        left_alone(key) if key in left_out else dg.MaterializeResult(asset_key=key, metadata=metadata)
        for key in _in_order(context, context.selected_asset_keys)
    ]
    checks = [dg.AssetCheckResult(asset_key=one.key.asset_key, check_name=one.key.name, passed=True, metadata=metadata) for one in verdicts]
    return [*models, *checks]


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
def publication(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[None]:
    """All marts of one refresh, made visible to analysts in one transaction once every blocking check on them has passed."""
    _require_sound(context, [PUBLICATION], "nothing was published")
    with _engine(warehouse) as engine:
        must_publish = not engine.is_published()
        if must_publish:
            try:
                engine.publish()
            except NothingPublished as error:
                raise dg.Failure(f"Nothing is published: {error}", allow_retries=False) from error
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        published = last_refresh(cursor)
    if published is None:
        raise dg.Failure("nothing has been built yet: materialize the marts first", allow_retries=False)
    rows = published.rows if must_publish else {}
    return dg.MaterializeResult(
        metadata={
            **({} if must_publish else {UNCHANGED_SINCE: published.refresh_id}),
            "refresh_id": published.refresh_id,
            "is_full": published.is_full,
            "rows": dg.MetadataValue.table(
                [
                    dg.TableRecord({"mart": mart, "inserted": counts["inserted"], "deleted": counts["deleted"]})
                    for mart, counts in sorted(rows.items())
                ],
                _ROWS_SCHEMA,
            ),
        }
    )
