"""What Dagster loads: every asset and every job carries its checks, and loading touches nothing outside the project."""

import socket

import dagster as dg
import psycopg2
import pytest

from dagster_project.contracts.loading import load_contracts
from dagster_project.defs.agreement import CHECK as AGREEMENT
from dagster_project.defs.quality import FIT
from dagster_project.marts.verification import CHECK as VERIFICATION
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.quality.suites import load_suites


class OutsideWorldError(Exception):
    """Something reached for a network or a database."""


def _refuse(*_: object, **__: object) -> None:
    raise OutsideWorldError


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    """The project's definitions, loaded with every way out closed."""
    from dagster_project.definitions import defs  # noqa: PLC0415
    from dagster_project.resources.manifest import ensure_manifest  # noqa: PLC0415

    ensure_manifest()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _refuse)
        patch.setattr(socket, "getaddrinfo", _refuse)
        patch.setattr(psycopg2, "connect", _refuse)
        loaded = defs()
        loaded.resolve_asset_graph()
    return loaded


def test_the_ways_out_were_closed() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _refuse)
        with pytest.raises(OutsideWorldError):
            socket.create_connection(("127.0.0.1", 1))


def test_every_declared_table_is_an_asset_in_the_group_of_its_system(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for system, contract in load_contracts().items():
        grouped = {tuple(key.path) for key in graph.get_all_asset_keys() if graph.get(key).group_name == system}
        assert grouped == {(system, table) for table in contract.tables}


def test_every_expectation_is_a_check_that_blocks_nothing(definitions: dg.Definitions) -> None:
    """Rows are set aside, raw tables hold back marts, and marts hold back themselves."""
    graph = definitions.resolve_asset_graph()
    for suite in load_suites().values():
        for expectation in suite.expectations:
            key = dg.AssetCheckKey(dg.AssetKey(suite.asset_key), expectation.meta.check)
            assert not graph.get(key).blocking, key


def test_publication_waits_for_the_checks_of_every_mart(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for suite in load_suites().values():
        if suite.system == PUBLISHED:
            assert graph.get(dg.AssetCheckKey(dg.AssetKey(suite.asset_key), FIT)).blocking


def test_every_check_says_what_it_checks(definitions: dg.Definitions) -> None:
    """Dbt's tests among them: the UI shows nothing else of a check but its name."""
    graph = definitions.resolve_asset_graph()
    assert graph.asset_check_keys
    assert [key for key in graph.asset_check_keys if not (graph.get(key).description or "").strip()] == []


def test_every_raw_table_and_every_mart_has_expectations(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    named = {(dg.AssetKey(suite.asset_key), each.meta.check) for suite in load_suites().values() for each in suite.expectations}
    checked = {key.asset_key for key in graph.asset_check_keys if (key.asset_key, key.name) in named}
    wanted = {key for key in graph.get_all_asset_keys() if key.path[0] in {*load_contracts(), "analytics"}}
    assert wanted - checked == {dg.AssetKey(["analytics", "publication"])}


@pytest.mark.parametrize(
    "job_name",
    [
        *("sync_and_refresh", "refresh", "check", "__ASSET_JOB"),
        *(f"{job}_{system}" for system in load_contracts() for job in ("sync", "reconcile")),
    ],
)
def test_every_job_carries_the_checks_of_what_it_builds(definitions: dg.Definitions, job_name: str) -> None:
    graph = definitions.resolve_asset_graph()
    layer = definitions.resolve_job_def(job_name).asset_layer
    built = graph.get_all_asset_keys() if job_name == "check" else set(layer.selected_asset_keys)
    # These are jobs of their own: what has just been computed is not computed again.
    apart = {"check": {AGREEMENT}, "__ASSET_JOB": set[str]()}.get(job_name, {AGREEMENT, VERIFICATION})
    wanted = {key for key in graph.asset_check_keys if key.asset_key in built and key.name not in apart}
    assert wanted
    assert wanted - set(layer.asset_graph.asset_check_keys) == set()


def test_nothing_is_published_before_every_mart(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    publication = graph.get(dg.AssetKey(["analytics", "publication"]))
    marts = {key for key in graph.get_all_asset_keys() if key.path[0] == "analytics"} - {publication.key}
    assert publication.parent_keys == marts


def test_marts_refresh_by_themselves_and_their_publication_says_when_they_are_stale(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        if key.path[0] in ("staging", "analytics"):
            assert graph.get(key).automation_condition is not None, key
    # A mart that no change has touched is not materialized again, and is no staler for it.
    fresh = {key for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy}
    assert fresh == {dg.AssetKey(["analytics", "publication"])}


def test_schedules_and_sensors_run_without_being_switched_on(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {schedule.name: (schedule.job_name, schedule.cron_schedule) for schedule in repository.schedule_defs} == {
        "hourly_sync_and_refresh": ("sync_and_refresh", "0 * * * *"),
        "daily_check": ("check", "30 3 * * *"),
        "daily_retention": ("retention", "0 4 * * *"),
        "daily_source_upkeep": ("source_upkeep", "15 4 * * *"),
        "daily_verify": ("verify", "0 5 * * 1-6"),
        "weekly_verify": ("verify", "0 5 * * 0"),
        "weekly_native_check": ("check_natively", "0 6 * * 0"),
        **{f"daily_reconcile_{system}": (f"reconcile_{system}", "30 4 * * *") for system in load_contracts()},
    }
    assert all(schedule.default_status is dg.DefaultScheduleStatus.RUNNING for schedule in repository.schedule_defs)
    sensors = {"automation", "failed_runs", "failed_checks", "replication_slots", "sync_warnings"}
    assert {sensor.name for sensor in repository.sensor_defs} == sensors
    assert all(sensor.default_status is dg.DefaultSensorStatus.RUNNING for sensor in repository.sensor_defs)
    assert any(isinstance(sensor, dg.AutomationConditionSensorDefinition) for sensor in repository.sensor_defs)


def test_each_sync_has_a_pool_of_its_own_and_marts_share_one(definitions: dg.Definitions) -> None:
    nodes = definitions.resolve_job_def("sync_and_refresh").nodes
    pools = {
        node.definition.name: node.definition.pool for node in nodes if isinstance(node.definition, dg.OpDefinition) if node.definition.pool
    }
    syncs = {contract.raw_schema: f"sync_{system}" for system, contract in load_contracts().items()}
    assert pools == {**syncs, "transformation": "marts", "analytics__publication": "marts"}
