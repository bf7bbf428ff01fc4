"""The dbt project as assets, and the publication of its marts.

Belongs here: which models are assets, when they refresh, and the one step after which analysts see them. Does not belong here: SQL
(`dbt_project/`), what is new (`marts.refreshes`), and checks written in Great Expectations (`defs.quality`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg

from dagster_project.components.known import Known, partitions_of, tenant_of
from dagster_project.contracts.loading import load_contracts
from dagster_project.defs.soundness import Soundness, soundness, soundness_once_checked
from dagster_project.internals.dagster import described, left_alone
from dagster_project.internals.dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtProject, dbt_assets
from dagster_project.marts.definition import definition
from dagster_project.marts.engine import Engine, NothingPublished
from dagster_project.marts.held import Held, held_marts, held_tables
from dagster_project.marts.lineage import MartDeclarationError, Model
from dagster_project.marts.postgres.engine import PostgresEngine
from dagster_project.marts.refreshes import last_refresh, nothing_new
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.resources.dbt import built_models, dbt_on, failing_models, has_errors
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.manifest import load_manifest
from dagster_project.resources.share import share_of
from dagster_project.resources.warehouse import Warehouses
from dagster_project.warehouse import Namespace, Warehouse, shared_part

_HELD_SCHEMA = dg.TableSchema([dg.TableColumn(name) for name in ("mart", "since", "by", "reason")])

# Metadata of a publication that has found nothing to publish: the refresh that stands.
UNCHANGED_SINCE = "unchanged_since_refresh"

# Of what is published. A mart by itself is as old as its last changed row.
_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=24), warn_window=timedelta(hours=3))

_ROWS_SCHEMA = dg.TableSchema([dg.TableColumn("mart"), dg.TableColumn("inserted", "int"), dg.TableColumn("deleted", "int")])

# Exit codes of dbt; with any other it has not written what came of its nodes.
_ALL_WELL, _SOMETHING_FAILED = 0, 1

# A build that a sync has overtaken is repeated; each time there is less to do.
_MAX_BUILDS = 3

# Names, for `dbt_project/macros/refresh.sql`, the refresh that a build belongs to.
_REFRESH = "RUNMART_REFRESH"

# Names, for `dbt_runmart`, the models that it needs.
_ONLY = "RUNMART_ONLY"

# Building and publishing write the same tables: never two of them at once.
_POOL = "marts"

_PUBLICATION = (PUBLISHED, "publication")


class ReadsSoundData(dg.AutomationCondition[dg.AssetKey]):
    """Everything that the asset reads, however far up, has passed its blocking checks."""

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Keep the candidates if so, else none of them."""
        is_wanted = not context.candidate_subset.is_empty
        is_sound = is_wanted and not _soundness_behind(context.asset_graph_view.instance, context.key).complaints()
        return dg.AutomationResult(context, true_subset=context.candidate_subset if is_sound else context.get_empty_subset())


def _soundness_behind(instance: dg.DagsterInstance, asset: dg.AssetKey) -> Soundness:
    """How what an asset reads stands; one that refreshes by itself is in no tenant's warehouse."""
    known = Known(instance)
    return soundness(known, read_by(known, Namespace(*asset.path[:-2]), [asset]))


# New data upstream refreshes what depends on it, but never on top of data whose blocking checks failed.
ON_SOUND_DATA = dg.AutomationCondition.eager() & ReadsSoundData()


class Translator(DagsterDbtTranslator):
    """Keys `[system, table]` for sources, `[schema, model]` for models; a folder of models is a group, named `<system>_<layer>`.

    All of them begin with the namespace.
    """

    def __init__(self, namespace: Namespace) -> None:
        super().__init__()
        self._namespace = namespace

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """The default spec with our key, group and automation."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        if unique_id.startswith("source."):
            return spec.replace_attributes(key=self._key(manifest["sources"][unique_id]))
        node = manifest["nodes"][unique_id]
        return spec.replace_attributes(
            key=self._key(node),
            group_name=self._namespace.label(_group(node)),
            automation_condition=_automation(self._namespace),
            partitions_def=partitions_of(self._namespace),
        )

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """The default spec with the description that the test has in dbt; Dagster's own looks for it elsewhere.

        A test that fails holds back its model, and what needs it, and nothing else.
        """
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and described(spec, manifest["nodes"][unique_id]["description"], partitions_of(self._namespace))

    def _key(self, node: Mapping[str, Any]) -> dg.AssetKey:
        return _key(node).with_prefix(self._namespace.path())


def _key(node: Mapping[str, Any]) -> dg.AssetKey:
    if node["resource_type"] == "source":
        return dg.AssetKey([node["source_name"], node["name"]])
    return dg.AssetKey([node["schema"], node["name"]])


def _group(model: Mapping[str, Any]) -> str:
    """The folder of a model from within: `marts/shared/` is `shared_marts`. A package beside the project may have no folders."""
    package, *folders, _ = model["fqn"]
    return "_".join(reversed(folders)) or package


def _automation(namespace: Namespace) -> dg.AutomationCondition[dg.AssetKey] | None:
    """When marts refresh by themselves; those of tenants do where their tables are synced, in one run."""
    return None if namespace.tenants_of else ON_SOUND_DATA


def schemas(namespace: Namespace) -> list[str]:
    """Where models stand, which is what their keys begin with."""
    return sorted({node["schema"] for node in share_of(namespace).manifest["nodes"].values() if node["resource_type"] == "model"})


@cache
def _raw_behind() -> dict[dg.AssetKey, frozenset[dg.AssetKey]]:
    """For every model, the raw tables that it reads, through whatever models; keys as they are in the default warehouse."""
    manifest = load_manifest()
    nodes = {**manifest["sources"], **manifest["nodes"]}

    @cache
    def behind(unique_id: str) -> frozenset[dg.AssetKey]:
        parents = frozenset().union(*(behind(parent) for parent in manifest["parent_map"][unique_id]))
        return parents | {_key(nodes[unique_id])} if unique_id.startswith("source.") else parents

    return {_key(nodes[unique_id]): behind(unique_id) for unique_id in nodes if unique_id.startswith("model.")}


def _behind(model: dg.AssetKey) -> frozenset[dg.AssetKey]:
    """The raw tables behind a model, in its warehouse."""
    raw = _raw_behind().get(_in_default(model), frozenset())
    return frozenset(table.with_prefix(model.path[:-2]) for table in raw)


def _never_synced(known: Known, models: Iterable[dg.AssetKey]) -> tuple[list[str], frozenset[dg.AssetKey]]:
    """What cannot be built yet, because raw tables behind it were never synced.

    Returns:
        The selectors that leave it out of a dbt command, and the models.
    """
    behind = frozenset().union(*map(_behind, models))
    synced = frozenset(table for table in behind if shared_part(table.path)[0] in load_contracts())
    missing = synced - known.materializations(synced).keys()
    return [_selector(table) for table in sorted(missing)], frozenset(model for model in models if missing & _behind(model))


def _held(warehouse: Warehouse) -> dict[dg.AssetKey, Held]:
    """The raw tables that hold back what reads them."""
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        return {dg.AssetKey(warehouse.namespace.path(*table)): held for table, held in held_tables(cursor).items()}


def _selector(table: dg.AssetKey) -> str:
    """What selects, in a dbt command, everything that reads a raw table."""
    return f"source:{'.'.join(shared_part(table.path))}+"


def _listed(models: Iterable[dg.AssetKey]) -> str:
    return ", ".join(_names(sorted(models)))


def read_by(known: Known, namespace: Namespace, assets: Iterable[dg.AssetKey]) -> frozenset[dg.AssetKey]:
    """What must be sound before these are built: raw tables behind models; for the publication the marts that there are, and theirs."""
    wanted = frozenset(assets)
    is_publishing = any(shared_part(asset.path) == _PUBLICATION for asset in wanted)
    marts = _marts(namespace) - _never_synced(known, _marts(namespace))[1] if is_publishing else frozenset[dg.AssetKey]()
    return marts.union(*map(_behind, wanted | marts))


def _marts(namespace: Namespace) -> frozenset[dg.AssetKey]:
    """All marts of a warehouse."""
    models = share_of(namespace).plan.project.models.values()
    return frozenset(dg.AssetKey(namespace.path(PUBLISHED, model.name)) for model in models if model.schema == PUBLISHED)


def _require_sound(context: dg.AssetExecutionContext, read: Collection[dg.AssetKey], refused: str) -> Soundness:
    found = soundness_once_checked(Known.to(context), read, context.run_id, context.log.info)
    if complaints := found.complaints():
        raise dg.Failure(f"{refused}: {'; '.join(complaints)}", allow_retries=False)
    return found


class RefreshConfig(dg.Config):
    """How a refresh goes about it.

    Attributes:
        full: Recompute everything, instead of what new batches have touched.
    """

    full: bool = False


def _left_out(context: dg.AssetExecutionContext, warehouse: Warehouse) -> tuple[list[str], frozenset[dg.AssetKey]]:
    """What is not built: models of raw tables that were never synced, unless there are no others, or that hold back marts.

    Returns:
        The selectors that leave it out of a dbt command, and the models.
    """
    selectors, left_out = _never_synced(Known.to(context), context.selected_asset_keys)
    if left_out >= context.selected_asset_keys:
        selectors, left_out = [], frozenset()
    if left_out:
        context.log.warning(f"left out, because raw tables behind them were never synced: {_listed(left_out)}")
    for table, held in _held(warehouse).items():
        reading = frozenset(model for model in context.selected_asset_keys if table in _behind(model))
        if reading:
            context.log.warning(f"left as they are: {_listed(reading)}; {table.to_user_string()} holds them back: {held.reason}")
            selectors, left_out = [*selectors, _selector(table)], left_out | reading
    return selectors, left_out


def _transform(context: dg.AssetExecutionContext, config: RefreshConfig, warehouse: Warehouse) -> Iterator[Any]:
    selectors, left_out = _left_out(context, warehouse)
    building = context.selected_asset_keys - left_out
    known = Known.to(context)
    _require_sound(context, read_by(known, warehouse.namespace, building), "nothing was built")
    build = ["build", "--exclude-resource-type", "unit_test"]
    if not context.selected_asset_keys:
        # Checks alone are asked about what is there.
        yield from dbt_on(warehouse).cli(build, context=context).stream()
        return
    if left_out:
        # One argument: of several, Dagster excludes only the first.
        build += ["--exclude", " ".join(selectors)]
    outputs = _Outputs(context)
    # Of what Dagster has never heard, nothing says that it has passed its checks.
    is_full = config.full or not building <= known.materializations(building).keys()
    if building and (is_full or _is_anything_new(warehouse, left_out)):
        yield from outputs.once(_build(context, warehouse, build, left_out, full=is_full))
    yield from outputs.left_alone()


def _is_anything_new(warehouse: Warehouse, left_out: Collection[dg.AssetKey]) -> bool:
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        return nothing_new(cursor, _names(left_out)) is None


def _build(
    context: dg.AssetExecutionContext, warehouse: Warehouse, build: Sequence[str], left_out: Collection[dg.AssetKey], *, full: bool
) -> Iterator[Any]:
    """Let dbt build and test what an engine has found to be touched."""
    selected = _names(context.selected_asset_keys)
    for _ in range(_MAX_BUILDS):
        with _engine(warehouse) as engine:
            begun = engine.begin(full=full, marts=selected, left_out=_names(left_out))
        models = {*selected} & {*begun.models}
        built, failing = dict[str, str](), dict[str, str]()
        if models:
            variables = {_REFRESH: begun.started_at.isoformat(), _ONLY: " ".join(sorted(models))}
            invocation = dbt_on(warehouse, **variables).cli([*build], context=context, raise_on_error=False)
            yield from invocation.stream()
            results = _results(invocation)
            built, failing = built_models(results), failing_models(results, load_manifest())
        with _engine(warehouse) as engine:
            if engine.end(built, failing):
                return
        context.log.info("a sync was committed while the marts were built: building what it touched")
    raise dg.Failure(f"syncs were committed during each of {_MAX_BUILDS} builds; refresh again when none is running")


def _results(invocation: DbtCliInvocation) -> Mapping[str, Any]:
    """What came of each node of a build. A data test that fails holds back its model, and is no error."""
    if invocation.process.returncode not in (_ALL_WELL, _SOMETHING_FAILED):
        raise invocation.get_error() or dg.Failure("dbt did not end")
    results = invocation.get_artifact("run_results.json")
    if has_errors(results) and (error := invocation.get_error()):
        raise error
    return results


class _Outputs:
    """What a step gives Dagster for its assets and their checks: each once, and what is upstream first, as Dagster wants it."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._keys = context.assets_def.keys_by_output_name
        self._upstream = context.assets_def.asset_deps
        self._order = [key for key in TopologicalSorter(self._upstream).static_order() if key in context.selected_asset_keys]
        self._given: set[object] = set()

    def once(self, events: Iterable[Any]) -> Iterator[Any]:
        """What dbt tells. A build that a sync has overtaken is repeated, and tells most of it again."""
        for event in events:
            told = self._told(event)
            if told in self._given:
                continue
            if isinstance(event, dg.Output):
                yield from self.left_alone(self._behind(self._keys[event.output_name]))
            if told is not None:
                self._given.add(told)
            yield event

    def left_alone(self, assets: Collection[dg.AssetKey] | None = None) -> Iterator[dg.MaterializeResult[None]]:
        """What has not been told is as it was: all of it, or of some assets."""
        for key in (key for key in self._order if key not in self._given and (assets is None or key in assets)):
            self._given.add(key)
            yield left_alone(key)

    def _told(self, event: object) -> object:
        if isinstance(event, dg.Output):
            return self._keys[event.output_name]
        return (event.asset_key, event.check_name) if isinstance(event, dg.AssetCheckResult) else None

    def _behind(self, asset: dg.AssetKey) -> set[dg.AssetKey]:
        parents = {*self._upstream[asset]} & {*self._order}
        return parents.union(*map(self._behind, parents))


def _names(models: Iterable[dg.AssetKey]) -> list[str]:
    return [model.path[-1] for model in models]


@contextmanager
def _engine(warehouse: Warehouse) -> Iterator[Engine]:
    with warehouse.opened(TRANSFORM) as connection:
        try:
            yield PostgresEngine(connection, share_of(warehouse.namespace).plan, definition(), warehouse.history_days)
        except MartDeclarationError as error:
            raise dg.Failure(f"Nothing is published: {error}", allow_retries=False) from error


def _in_default(asset: dg.AssetKey) -> dg.AssetKey:
    """The same asset in the default warehouse."""
    return dg.AssetKey(shared_part(asset.path))


def _publish(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[None]:
    held = _held(warehouse)
    known, shown = Known.to(context), share_of(warehouse.namespace).plan.project.models
    marts = {mart: held.keys() & _behind(mart) for mart in sorted(_marts(warehouse.namespace))}
    published_now = read_by(known, warehouse.namespace, [context.asset_key]).intersection(mart for mart in marts if not marts[mart])
    read = published_now | read_by(known, warehouse.namespace, published_now)
    found = _require_sound(context, read, "nothing was published")
    failing = {mart.path[-1]: f"fails {', '.join(checks)}" for mart, checks in found.failing_marts.items()}
    with _engine(warehouse) as engine:
        must_publish = not engine.is_published(failing)
        if must_publish:
            try:
                engine.publish(failing=failing)
            except NothingPublished as error:
                raise dg.Failure(f"Nothing is published: {error}", allow_retries=False) from error
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        published = last_refresh(cursor)
        held_back = [*_held_by_tables(marts, held), *_held_by_checks(held_marts(cursor), shown)]
    if published is None:
        raise dg.Failure("nothing has been built yet: materialize the marts first", allow_retries=False)
    rows = published.rows if must_publish else {}
    return dg.MaterializeResult(
        metadata={
            **({} if must_publish else {UNCHANGED_SINCE: published.refresh_id}),
            "refresh_id": published.refresh_id,
            "is_full": published.is_full,
            **({"held_back": dg.MetadataValue.table(held_back, _HELD_SCHEMA)} if held_back else {}),
            "rows": dg.MetadataValue.table(
                [
                    dg.TableRecord({"mart": mart, "inserted": counts["inserted"], "deleted": counts["deleted"]})
                    for mart, counts in sorted(rows.items())
                    if shown[mart].schema == PUBLISHED
                ],
                _ROWS_SCHEMA,
            ),
        }
    )


def _held_by_tables(marts: Mapping[dg.AssetKey, Collection[dg.AssetKey]], held: Mapping[dg.AssetKey, Held]) -> Iterator[dg.TableRecord]:
    """Marts that stand as they were, each with a raw table that holds it back."""
    for mart, tables in marts.items():
        yield from (_held_record(mart.path[-1], table.to_user_string(), held[table]) for table in sorted(tables))


def _held_by_checks(held: Mapping[str, Held], shown: Mapping[str, Model]) -> Iterator[dg.TableRecord]:
    """Marts that stand as they were because they, or marts that they need, fail checks."""
    yield from (_held_record(mart, "checks", why) for mart, why in held.items() if mart in shown and shown[mart].schema == PUBLISHED)


def _held_record(mart: str, by: str, why: Held) -> dg.TableRecord:
    return dg.TableRecord({"mart": mart, "since": f"{why.since:%Y-%m-%d %H:%M:%S} UTC", "by": by, "reason": why.reason})


@dg.definitions
def transforming(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Models, marts and their publication, in one warehouse."""
    namespace = namespace_of(context)
    share, partitions = share_of(namespace), partitions_of(namespace)
    # Tenants take turns with nobody but themselves.
    pool = None if namespace.tenants_of else namespace.label(_POOL)

    @dbt_assets(
        manifest=share.manifest,
        dagster_dbt_translator=Translator(namespace),
        name=namespace.label("transformation"),
        partitions_def=partitions,
        pool=pool,
    )
    def transformation(context: dg.AssetExecutionContext, config: RefreshConfig, warehouses: dg.ResourceParam[Warehouses]) -> Iterator[Any]:
        """Build and test what is new of the selected models, if the raw tables that they read are sound.

        Models of raw tables that were never synced are left out, unless there are no others.
        """
        yield from _transform(context, config, warehouses.of(namespace, tenant_of(context)))

    @dg.asset(
        key=namespace.path(*_PUBLICATION),
        deps=sorted(_marts(namespace)),
        group_name=namespace.label("publication"),
        kinds={"postgres"},
        automation_condition=_automation(namespace),
        partitions_def=partitions,
        freshness_policy=None if partitions else _FRESHNESS,
        pool=pool,
    )
    def publication(context: dg.AssetExecutionContext, warehouses: dg.ResourceParam[Warehouses]) -> dg.MaterializeResult[None]:
        """All marts of one refresh, made visible to analysts in one transaction once every blocking check on them has passed."""
        return _publish(context, warehouses.of(namespace, tenant_of(context)))

    # What models read and no sync writes: Runmart's records of its own work.
    own_records = [
        dg.AssetSpec(
            _key(source).with_prefix(namespace.path()),
            description=source["description"],
            group_name=namespace.label(source["source_name"]),
            kinds={"postgres"},
            partitions_def=partitions,
        )
        for source in share.manifest["sources"].values()
        if source["source_name"] not in load_contracts()
    ]
    return dg.Definitions(assets=[transformation, publication, *own_records])
