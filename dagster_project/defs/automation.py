"""When things run, and who hears of it.

Belongs here: jobs, schedules, the automation sensor and the alert sensors. Does not belong here: what runs. Incidents (one message per
fault) are a later layer: here every failed run, every check that starts to fail and every sync with new warnings is one message.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_project.components.known import Known, partitions_of, warehouses_of
from dagster_project.components.schedules import running
from dagster_project.components.source_system import WARNINGS, reconcile_config
from dagster_project.defs.agreement import native_checks_of
from dagster_project.defs.quality import asking_everything
from dagster_project.defs.storage import reading_everything
from dagster_project.defs.tenants import with_news
from dagster_project.defs.transformation import schemas
from dagster_project.defs.verification import checks_of
from dagster_project.resources.alerts import Alerts
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.share import namespaces, share_of
from dagster_project.warehouse import Namespace

# Materializations looked at in one go; the rest waits for the next look.
_SYNCS_AT_ONCE = 100


def _groups(namespace: Namespace, *groups: str) -> dg.AssetSelection:
    return dg.AssetSelection.groups(*map(namespace.label, groups))


def _models(namespace: Namespace) -> dg.AssetSelection:
    """Models and their publication."""
    return dg.AssetSelection.key_prefixes(*(namespace.path(schema) for schema in schemas(namespace)))


def _systems(namespace: Namespace) -> list[str]:
    return sorted(share_of(namespace).contracts)


def _jobs(namespace: Namespace) -> Iterator[Any]:
    """The jobs of one warehouse.

    A selection of assets takes their checks along; a check that a job left out would never run on what the job builds. Marts are held
    against raw, and compiled checks against Great Expectations, by jobs of their own: what was just computed need not be computed twice.
    """
    partitions, systems = partitions_of(namespace), _systems(namespace)

    def job(name: str, selection: dg.AssetSelection, description: str, config: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        return dg.define_asset_job(namespace.label(name), selection, description=description, config=config, partitions_def=partitions)

    of_their_own = checks_of(namespace) | native_checks_of(namespace)
    raw, models = _groups(namespace, *systems) - of_their_own, _models(namespace) - of_their_own
    yield job("sync_and_refresh", raw | models, "Read every source, check, rebuild the marts, check, publish.")
    yield job("refresh", models, "Rebuild the marts from raw, check, publish.")
    checks = (raw | _models(namespace)) - (raw | _models(namespace)).without_checks() - native_checks_of(namespace)
    everything = {"ops": {**asking_everything(namespace), **reading_everything(namespace)}}
    yield job("check", checks, "Run every check on all rows that are there, build nothing.", everything)
    for system in systems:
        tables = _groups(namespace, system) - of_their_own
        yield job(f"sync_{system}", tables, f"Read {system} and check its raw tables.")
        yield job(
            f"reconcile_{system}",
            tables,
            f"Read {system}, compare its raw tables with it in full, repair rows that differ, check.",
            reconcile_config(system, is_repairing=True, namespace=namespace),
        )


@dg.run_failure_sensor(monitor_all_code_locations=True, default_status=dg.DefaultSensorStatus.RUNNING)
def failed_runs(context: dg.RunFailureSensorContext, alerts: Alerts) -> None:
    """Report a run that failed, with its first error."""
    alerts.send(
        title=f"Runmart: run of {context.dagster_run.job_name} failed",
        body=f"{context.failure_event.message}\nRun: {context.dagster_run.run_id}\nNext: open the run in the Dagster UI (`runmart up`).",
    )


@dg.sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def failed_checks(context: dg.SensorEvaluationContext, alerts: Alerts) -> dg.SensorResult | dg.SkipReason:
    """Report checks that have started to fail since the last look; a check that keeps failing is not repeated."""
    known: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
    failing = dict(_failing(context))
    new = {check: line for check, line in failing.items() if check not in known}
    if new:
        alerts.send(
            title=f"Runmart: {len(new)} check{'s' if len(new) > 1 else ''} failed",
            body="\n".join(new.values())
            + "\nNext: each check's page in the Dagster UI shows the failing rows and the query for all of them.",
        )
    context.update_cursor(json.dumps(failing))
    return dg.SkipReason(f"{len(failing)} checks fail, {len(new)} of them are new")


def _failing(context: dg.SensorEvaluationContext) -> Iterator[tuple[str, str]]:
    """Each check that fails, in whatever warehouse, by a name that stays the same, with what is said of it."""
    keys = list(context.repository_def.asset_graph.asset_check_keys) if context.repository_def else []
    for namespace in namespaces():
        for known in warehouses_of(context.instance, namespace):
            yield from _failing_in(known, [key for key in keys if not known.tenant or key.asset_key.path[0] == namespace.name])


def _failing_in(known: Known, checks: Sequence[dg.AssetCheckKey]) -> Iterator[tuple[str, str]]:
    latest, whose = known.verdicts(checks), f" of {known.tenant}" if known.tenant else ""
    for key in sorted(latest):
        event = latest[key].event
        evaluation = event.asset_check_evaluation if event else None
        if evaluation and not evaluation.passed:
            rows = evaluation.metadata.get("failing_rows")
            detail = f": {rows.value} failing rows" if rows else ""
            line = f"{evaluation.severity.value} {key.asset_key.to_user_string()}{whose}, {key.name}{detail}"
            yield f"{key.to_user_string()}{whose}", line


def sync_warnings(namespace: Namespace) -> dg.SensorDefinition:
    """Who hears of the syncs into one warehouse."""

    @dg.sensor(name=namespace.label("sync_warnings"), minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
    def sensor(context: dg.SensorEvaluationContext, alerts: Alerts) -> dg.SkipReason:
        """Report what each sync warned of, repaired rows above all; a warning that stands from one sync to the next is not repeated."""
        return _tell_warnings(context, alerts, namespace)

    return sensor


def _tell_warnings(context: dg.SensorEvaluationContext, alerts: Alerts, namespace: Namespace) -> dg.SkipReason:
    seen: dict[str, dict[str, Any]] = json.loads(context.cursor) if context.cursor else {}
    for known in warehouses_of(context.instance, namespace):
        for system in _systems(namespace):
            name = "/".join([*namespace.path(system), *([known.tenant] if known.tenant else [])])
            for record in _syncs_since(known, namespace, system, seen.get(name, {}).get("storage_id")):
                new = [line for line in _warnings(record) if line not in seen.get(name, {}).get("warnings", ())]
                if new:
                    alerts.send(
                        title=f"Runmart: sync of {name}: {len(new)} warning{'s' if len(new) > 1 else ''}",
                        body="\n".join(new) + f"\nRun: {record.run_id}\nNext: `runmart status` shows every table.",
                    )
                seen[name] = {"storage_id": record.storage_id, "warnings": _warnings(record)}
    context.update_cursor(json.dumps(seen))
    return dg.SkipReason(f"{sum(len(one['warnings']) for one in seen.values())} warnings stand")


def _syncs_since(known: Known, namespace: Namespace, system: str, storage_id: int | None) -> Sequence[dg.EventLogRecord]:
    """Materializations of one table, which every sync of its system materializes: all since one of them, or just the last."""
    table = dg.AssetKey(namespace.path(system, next(iter(share_of(namespace).contracts[system].tables))))
    return known.materializations_of(table, limit=1 if storage_id is None else _SYNCS_AT_ONCE, after=storage_id)


def _warnings(sync: dg.EventLogRecord) -> list[str]:
    materialization = sync.asset_materialization
    entry = materialization.metadata.get(WARNINGS) if materialization else None
    return str(entry.value).splitlines() if entry else []


@dg.definitions
def automation(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Hourly sync and refresh, a daily full check and reconciliation, refresh of whatever new raw data arrives in between."""
    namespace = namespace_of(context)
    return dg.Definitions(
        jobs=list(_jobs(namespace)),
        schedules=[
            running("hourly_sync_and_refresh", "sync_and_refresh", "0 * * * *", namespace=namespace, tenants=with_news(namespace)),
            running("daily_check", "check", "30 3 * * *", namespace=namespace),
            *(
                running(f"daily_reconcile_{system}", f"reconcile_{system}", "30 4 * * *", namespace=namespace)
                for system in _systems(namespace)
            ),
        ],
        sensors=[failed_runs, failed_checks, sync_warnings(namespace), *_own_sensors(namespace)],
    )


def _own_sensors(namespace: Namespace) -> Iterator[dg.SensorDefinition]:
    """What a warehouse is looked at for: news of raw tables, or which tenants there are."""
    if namespace.tenants_of:
        return
    yield dg.AutomationConditionSensorDefinition(
        namespace.label("automation"),
        target=_models(namespace).without_checks(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        use_user_code_server=True,
    )
