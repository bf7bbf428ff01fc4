"""What Dagster loads for the warehouses of tenants: runs of each tenant, and files that are checked before models are built."""

import dagster as dg
import pytest

from dagster_project.definitions import definitions_of
from dagster_project.defs.storage import reading_everything
from dagster_project.internals.dagster import PARTITION_TAG
from dagster_project.quality.stored_files import CHECK
from dagster_project.warehouse import of_tenants

SYSTEM = "llm_workflow"
NAMESPACE = of_tenants(SYSTEM)
FILES = dg.AssetCheckKey(dg.AssetKey(NAMESPACE.path(SYSTEM, "artifacts")), CHECK)

# These ask the databases of tenants for news.
ASKING = {NAMESPACE.label("hourly_sync_and_refresh")}


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return definitions_of(NAMESPACE).get_repository_def()


def test_each_schedule_asks_for_a_run_of_each_tenant(repository: dg.RepositoryDefinition) -> None:
    schedules = [schedule for schedule in repository.schedule_defs if schedule.name not in ASKING]
    assert NAMESPACE.label("daily_check") in {schedule.name for schedule in schedules}
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions(SYSTEM, ["acme", "globex"])
        for schedule in schedules:
            tick = schedule.evaluate_tick(dg.build_schedule_context(instance=instance, repository_def=repository))
            tenants = [request.tags[PARTITION_TAG] for request in tick.run_requests or ()]
            assert tenants == ["acme", "globex"], schedule.name


@pytest.mark.parametrize("job", ["sync_and_refresh", f"sync_{SYSTEM}", f"reconcile_{SYSTEM}", "check"])
def test_jobs_that_read_raw_check_its_files(repository: dg.RepositoryDefinition, job: str) -> None:
    assert FILES in repository.get_job(NAMESPACE.label(job)).asset_layer.asset_graph.asset_check_keys


def test_models_are_built_after_files_are_checked(repository: dg.RepositoryDefinition) -> None:
    """That what is found stops no model is seen in `tests/integration/defs/test_storage.py`."""
    waits_for = {
        step.name: {other.node for dependency in inputs.values() for other in dependency.get_node_dependencies()}
        for step, inputs in repository.get_job(NAMESPACE.label("sync_and_refresh")).dependencies.items()
    }
    files, models = NAMESPACE.label(f"{SYSTEM}_files"), NAMESPACE.label("transformation")
    assert files in waits_for[models]
    assert waits_for[files] == {NAMESPACE.label(f"raw_{SYSTEM}")}


def test_the_daily_check_reads_all_files(repository: dg.RepositoryDefinition) -> None:
    assert {NAMESPACE.label(f"{SYSTEM}_files"): {"config": {"everything": True}}} == reading_everything(NAMESPACE)
    config = repository.get_job(NAMESPACE.label("check")).run_config
    assert config is not None
    assert config["ops"].items() >= reading_everything(NAMESPACE).items()
