"""Definitions for two warehouses in one repository of Dagster: each has all of them, and neither has any of the other's."""

from collections.abc import Mapping

import dagster as dg
import pytest

from dagster_project.definitions import definitions_of
from dagster_project.warehouse import DEFAULT, Namespace

ACME = Namespace("acme")

# The sources are the same for all warehouses.
OF_SOURCES = {"source_upkeep"}


@pytest.fixture(scope="module")
def both() -> dg.RepositoryDefinition:
    return definitions_of(DEFAULT, ACME).get_repository_def()


@pytest.fixture(scope="module")
def alone() -> dg.RepositoryDefinition:
    return definitions_of(DEFAULT).get_repository_def()


def jobs(repository: dg.RepositoryDefinition) -> dict[str, dg.JobDefinition]:
    """All but the one that Dagster makes of every asset, and those of sources."""
    return {job.name: job for job in repository.get_all_jobs() if not job.name.startswith("__") and job.name not in OF_SOURCES}


def pools(job: dg.JobDefinition) -> Mapping[str, str]:
    steps = (node.definition for node in job.nodes if isinstance(node.definition, dg.OpDefinition))
    return {step.name: step.pool for step in steps if step.pool}


def test_both_have_every_asset_and_every_check(both: dg.RepositoryDefinition, alone: dg.RepositoryDefinition) -> None:
    own = alone.asset_graph.get_all_asset_keys()
    assert own
    assert both.asset_graph.get_all_asset_keys() == own | {key.with_prefix("acme") for key in own}
    checks = set(alone.asset_graph.asset_check_keys)
    assert checks
    assert set(both.asset_graph.asset_check_keys) == checks | {
        dg.AssetCheckKey(check.asset_key.with_prefix("acme"), check.name) for check in checks
    }


def test_no_asset_is_made_of_another_warehouse(both: dg.RepositoryDefinition, alone: dg.RepositoryDefinition) -> None:
    for key in alone.asset_graph.get_all_asset_keys():
        parents = alone.asset_graph.get(key).parent_keys
        assert both.asset_graph.get(key).parent_keys == parents
        assert both.asset_graph.get(key.with_prefix("acme")).parent_keys == {parent.with_prefix("acme") for parent in parents}


def test_no_group_holds_assets_of_two(both: dg.RepositoryDefinition) -> None:
    made = both.asset_graph.materializable_asset_keys
    groups = {(both.asset_graph.get(key).group_name, key.path[0] == "acme") for key in made}
    assert len({group for group, _ in groups}) == len(groups)


def test_jobs_have_the_same_steps_on_their_own_warehouse_in_pools_of_their_own(
    both: dg.RepositoryDefinition, alone: dg.RepositoryDefinition
) -> None:
    found = jobs(both)
    assert found.keys() == jobs(alone).keys() | {ACME.label(name) for name in jobs(alone)}
    for name, job in jobs(alone).items():
        here, there = found[name].asset_layer, found[ACME.label(name)].asset_layer
        assert here.selected_asset_keys == job.asset_layer.selected_asset_keys
        assert there.selected_asset_keys == {key.with_prefix("acme") for key in job.asset_layer.selected_asset_keys}
        selected = job.asset_layer.asset_graph.asset_check_keys
        assert here.asset_graph.asset_check_keys == selected
        assert {check.asset_key.with_prefix("acme") for check in selected} == {
            check.asset_key for check in there.asset_graph.asset_check_keys
        }
        assert pools(found[name]) == pools(job)
        assert sorted(pools(found[ACME.label(name)]).values()) == sorted(ACME.label(pool) for pool in pools(job).values())


def test_schedules_and_sensors_are_of_one_warehouse_or_look_at_everything_once(
    both: dg.RepositoryDefinition, alone: dg.RepositoryDefinition
) -> None:
    schedules = {schedule.name: schedule.job_name for schedule in alone.schedule_defs}
    assert {schedule.name: schedule.job_name for schedule in both.schedule_defs} == {
        **schedules,
        **{ACME.label(name): ACME.label(job) for name, job in schedules.items() if job not in OF_SOURCES},
    }
    sensors = {sensor.name for sensor in alone.sensor_defs}
    at_everything = {"failed_runs", "failed_checks", "replication_slots"}
    assert sorted(sensor.name for sensor in both.sensor_defs) == sorted([*sensors, *(ACME.label(name) for name in sensors - at_everything)])
