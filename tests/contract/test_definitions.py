"""What Dagster loads: every asset and every job carries its checks, and loading touches nothing outside the project."""

import socket
from collections.abc import Collection

import dagster as dg
import psycopg2
import pytest

from dagster_project.components.known import partitions_of
from dagster_project.defs.agreement import CHECK as AGREEMENT
from dagster_project.defs.quality import FIT
from dagster_project.marts.verification import CHECK as VERIFICATION
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.resources.share import namespaces, share_of
from dagster_project.warehouse import Namespace, shared_part


class OutsideWorldError(Exception):
    """Something reached for a network or a database."""


def _refuse(*_: object, **__: object) -> None:
    raise OutsideWorldError


@pytest.fixture(scope="module", params=namespaces(), ids=lambda namespace: namespace.name or "default")
def namespace(request: pytest.FixtureRequest) -> Namespace:
    """Each that there is."""
    found: Namespace = request.param
    return found


@pytest.fixture(scope="module")
def definitions(namespace: Namespace) -> dg.Definitions:
    """The project's definitions for a namespace, loaded with every way out closed."""
    from dagster_project.definitions import definitions_of  # noqa: PLC0415
    from dagster_project.resources.manifest import ensure_manifest  # noqa: PLC0415

    ensure_manifest()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _refuse)
        patch.setattr(socket, "getaddrinfo", _refuse)
        patch.setattr(psycopg2, "connect", _refuse)
        loaded = definitions_of(namespace)
        loaded.resolve_asset_graph()
    return loaded


def behind_marts(namespace: Namespace, known: Collection[dg.AssetKey]) -> set[dg.AssetKey]:
    """What is made of published marts: their publication, and where tenants have some, what they hand over."""
    return {asset(namespace, "analytics", name) for name in ("publication", "handover")} & {*known}


def asset(namespace: Namespace, *path: str) -> dg.AssetKey:
    """The key of an asset in a namespace."""
    return dg.AssetKey(namespace.path(*path))


def test_the_ways_out_were_closed() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _refuse)
        with pytest.raises(OutsideWorldError):
            socket.create_connection(("127.0.0.1", 1))


def test_every_declared_table_is_an_asset_in_the_group_of_its_system(namespace: Namespace, definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for system, contract in share_of(namespace).contracts.items():
        grouped = {key for key in graph.get_all_asset_keys() if graph.get(key).group_name == namespace.label(system)}
        assert grouped == {asset(namespace, system, table) for table in contract.tables}


def test_every_expectation_is_a_check_that_blocks_nothing(namespace: Namespace, definitions: dg.Definitions) -> None:
    """Rows are set aside, raw tables hold back marts, and marts hold back themselves."""
    graph = definitions.resolve_asset_graph()
    for suite in share_of(namespace).suites.values():
        for expectation in suite.expectations:
            key = dg.AssetCheckKey(asset(namespace, *suite.asset_key), expectation.meta.check)
            assert not graph.get(key).blocking, key


def test_publication_waits_for_the_checks_of_every_mart(namespace: Namespace, definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for suite in share_of(namespace).suites.values():
        if suite.system == PUBLISHED:
            assert graph.get(dg.AssetCheckKey(asset(namespace, *suite.asset_key), FIT)).blocking


def test_every_check_says_what_it_checks(namespace: Namespace, definitions: dg.Definitions) -> None:
    """Dbt's tests among them: the UI shows nothing else of a check but its name."""
    graph = definitions.resolve_asset_graph()
    assert graph.asset_check_keys
    assert [key for key in graph.asset_check_keys if not (graph.get(key).description or "").strip()] == []


def test_every_raw_table_and_every_mart_has_expectations(namespace: Namespace, definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    named = {
        (asset(namespace, *suite.asset_key), each.meta.check)
        for suite in share_of(namespace).suites.values()
        for each in suite.expectations
    }
    checked = {key.asset_key for key in graph.asset_check_keys if (key.asset_key, key.name) in named}
    wanted = {key for key in graph.get_all_asset_keys() if shared_part(key.path)[0] in {*share_of(namespace).contracts, "analytics"}}
    assert wanted - checked == behind_marts(namespace, graph.get_all_asset_keys())


@pytest.mark.parametrize("job_name", ["sync_and_refresh", "refresh", "check", "__ASSET_JOB"])
def test_every_job_carries_the_checks_of_what_it_builds(namespace: Namespace, definitions: dg.Definitions, job_name: str) -> None:
    carries_checks(definitions, namespace.label(job_name) if not job_name.startswith("__") else job_name, job_name)


def test_jobs_of_a_system_carry_the_checks_of_what_they_build(namespace: Namespace, definitions: dg.Definitions) -> None:
    for system in share_of(namespace).contracts:
        for job in ("sync", "reconcile"):
            carries_checks(definitions, namespace.label(f"{job}_{system}"), job)


def carries_checks(definitions: dg.Definitions, job_name: str, kind: str) -> None:
    graph = definitions.resolve_asset_graph()
    layer = definitions.resolve_job_def(job_name).asset_layer
    built = graph.get_all_asset_keys() if kind == "check" else set(layer.selected_asset_keys)
    # These are jobs of their own: what has just been computed is not computed again.
    apart = {"check": {AGREEMENT}, "__ASSET_JOB": set[str]()}.get(kind, {AGREEMENT, VERIFICATION})
    wanted = {key for key in graph.asset_check_keys if key.asset_key in built and key.name not in apart}
    assert wanted
    assert wanted - set(layer.asset_graph.asset_check_keys) == set()


def test_nothing_is_published_before_every_mart(namespace: Namespace, definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    publication = graph.get(asset(namespace, "analytics", "publication"))
    marts = {key for key in graph.get_all_asset_keys() if shared_part(key.path)[0] == "analytics"} - behind_marts(
        namespace, graph.get_all_asset_keys()
    )
    assert publication.parent_keys == marts


def test_marts_refresh_by_themselves_and_their_publication_says_when_they_are_stale(
    namespace: Namespace, definitions: dg.Definitions
) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        if shared_part(key.path)[0] in ("staging", "analytics"):
            # A tenant's are refreshed where its tables are synced.
            assert (graph.get(key).automation_condition is None) == (namespace.tenants_of is not None), key
    # A mart that no change has touched is not materialized again, and is no staler for it. Dagster knows no freshness of partitions.
    fresh = {key for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy}
    assert fresh == (set() if namespace.tenants_of else {asset(namespace, "analytics", "publication")})


def test_schedules_and_sensors_run_without_being_switched_on(namespace: Namespace, definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    expected = {
        "hourly_sync_and_refresh": ("sync_and_refresh", "0 * * * *"),
        "daily_check": ("check", "30 3 * * *"),
        "daily_retention": ("retention", "0 4 * * *"),
        "daily_verify": ("verify", "0 5 * * 1-6"),
        "weekly_verify": ("verify", "0 5 * * 0"),
        "weekly_native_check": ("check_natively", "0 6 * * 0"),
        **{f"daily_reconcile_{system}": (f"reconcile_{system}", "30 4 * * *") for system in share_of(namespace).contracts},
    }
    of_sources = {} if namespace.tenants_of else {"daily_source_upkeep": ("source_upkeep", "15 4 * * *")}
    assert {schedule.name: (schedule.job_name, schedule.cron_schedule) for schedule in repository.schedule_defs} == {
        **of_sources,
        **{namespace.label(name): (namespace.label(job), cron) for name, (job, cron) in expected.items()},
    }
    assert all(schedule.default_status is dg.DefaultScheduleStatus.RUNNING for schedule in repository.schedule_defs)
    own = {namespace.label(name) for name in ("sync_warnings", "tenants" if namespace.tenants_of else "automation")}
    assert {sensor.name for sensor in repository.sensor_defs} == {"failed_runs", "failed_checks", "replication_slots", *own}
    assert all(sensor.default_status is dg.DefaultSensorStatus.RUNNING for sensor in repository.sensor_defs)
    automated = any(isinstance(sensor, dg.AutomationConditionSensorDefinition) for sensor in repository.sensor_defs)
    assert automated == (namespace.tenants_of is None)


def test_each_sync_has_a_pool_of_its_own_and_marts_share_one(namespace: Namespace, definitions: dg.Definitions) -> None:
    """Those of tenants have none: a tenant waits for none but itself."""
    nodes = definitions.resolve_job_def(namespace.label("sync_and_refresh")).nodes
    pools = {
        node.definition.name: node.definition.pool for node in nodes if isinstance(node.definition, dg.OpDefinition) if node.definition.pool
    }
    syncs = {contract.raw_schema: f"sync_{system}" for system, contract in share_of(namespace).contracts.items()}
    of_one = {**syncs, "transformation": "marts", "analytics__publication": "marts"}
    assert pools == ({} if namespace.tenants_of else of_one)


def test_what_is_of_tenants_is_partitioned_and_nothing_else_is(namespace: Namespace, definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    partitions = {str(graph.get(key).partitions_def) for key in graph.get_all_asset_keys()}
    partitions |= {str(graph.get(key).partitions_def) for key in graph.asset_check_keys}
    assert partitions == {str(partitions_of(namespace))}


def test_a_share_knows_of_no_node_that_is_not_in_it(namespace: Namespace) -> None:
    manifest = share_of(namespace).manifest
    there = {key for part in ("nodes", "sources", "unit_tests") for key in manifest[part]}
    for part in ("parent_map", "child_map"):
        assert {key for others in manifest[part].values() for key in others} <= there, part
