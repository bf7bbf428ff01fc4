"""Old runs go; what they say of assets and checks as they stand stays, as do runs that have not ended."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from dagster_project.internals.dagster import last_verdicts
from dagster_project.resources.run_history import RunHistory
from tests.databases import run

KEPT = 3
OFTEN, ONCE = dg.AssetKey("often"), dg.AssetKey("once")


@dg.asset(key=OFTEN)
def often() -> None:
    print("said")


@dg.asset(key=ONCE)
def once() -> None:
    """Materialized by the first run only."""


@dg.asset_check(asset=OFTEN)
def is_fine() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset_check(asset=ONCE)
def was_fine() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


OF_EACH, TENANTS = dg.AssetKey("of_each"), dg.DynamicPartitionsDefinition(name="tenants")


@dg.asset(key=OF_EACH, partitions_def=TENANTS)
def of_each() -> None:
    """Materialized for one tenant at a time."""


@dg.multi_asset_check(specs=[dg.AssetCheckSpec("is_its_own", asset=OF_EACH, partitions_def=TENANTS)])
def is_its_own() -> Iterator[dg.AssetCheckResult]:
    yield dg.AssetCheckResult(passed=True, asset_key=OF_EACH, check_name="is_its_own")


def runs_of(instance: dg.DagsterInstance) -> list[str]:
    """Identities of all runs, the newest first."""
    return [one.run_id for one in instance.get_runs()]


def test_newest_runs_and_what_stands_are_kept(instance: dg.DagsterInstance, dagster_url: str, tmp_path: Path) -> None:
    first = dg.materialize([often, once, is_fine, was_fine], instance=instance).run_id
    unfinished = instance.create_run_for_job(dg.Definitions([often], jobs=[dg.define_asset_job("later")]).resolve_job_def("later")).run_id
    later = [dg.materialize([often, is_fine], instance=instance).run_id for _ in range(6)]
    checks = [dg.AssetCheckKey(OFTEN, "is_fine"), dg.AssetCheckKey(ONCE, "was_fine")]
    before = last_verdicts(instance, checks)
    assert {*before} == {*checks}

    assert RunHistory(dagster_url, KEPT).forget(instance) == len(later) - KEPT
    assert runs_of(instance) == [*reversed(later[-KEPT:]), unfinished, first]
    assert last_verdicts(instance, checks) == before
    for asset in (OFTEN, ONCE):
        assert instance.get_latest_materialization_event(asset) is not None
    assert {run_id for (run_id,) in run(dagster_url, "select distinct run_id from event_logs")} <= {*runs_of(instance)}
    assert {run_id for (run_id,) in run(dagster_url, "select distinct run_id from asset_check_executions")} <= {*runs_of(instance)}
    assert {path.name for path in (tmp_path / "logs").iterdir()} == {first, *later[-KEPT:]}


def test_events_do_not_grow_beyond_the_limit(instance: dg.DagsterInstance, dagster_url: str) -> None:
    history = RunHistory(dagster_url, KEPT)
    sizes = []
    for _ in range(4):
        for _ in range(KEPT):
            dg.materialize([often, is_fine], instance=instance)
        history.forget(instance)
        sizes += run(dagster_url, "select (select count(*) from event_logs), (select count(*) from asset_check_executions)")
    assert {*sizes} == {sizes[0]}
    assert history.forget(instance) == 0


def test_verdict_of_no_run_stays_until_there_is_a_later_one(instance: dg.DagsterInstance, dagster_url: str) -> None:
    check = dg.AssetCheckKey(OFTEN, "is_fine")
    dg.materialize([often, is_fine], instance=instance)
    for passed in (False, True):
        instance.report_runless_asset_event(dg.AssetCheckEvaluation(asset_key=OFTEN, check_name="is_fine", passed=passed, metadata={}))
    before = last_verdicts(instance, [check])
    for _ in range(KEPT):
        dg.materialize([once], instance=instance)
    RunHistory(dagster_url, KEPT).forget(instance)
    assert last_verdicts(instance, [check]) == before
    assert run(dagster_url, "select count(*) from asset_check_executions where run_id = ''") == [(1,)]
    assert run(dagster_url, "select count(*) from event_logs where run_id = ''") == [(1,)]


def test_what_stands_is_kept_of_each_tenant(instance: dg.DagsterInstance, dagster_url: str) -> None:
    instance.add_dynamic_partitions("tenants", ["acme", "beta"])
    first = dg.materialize([of_each, is_its_own], instance=instance, partition_key="acme").run_id
    later = [dg.materialize([of_each, is_its_own], instance=instance, partition_key="beta").run_id for _ in range(KEPT + 2)]
    RunHistory(dagster_url, KEPT).forget(instance)
    assert runs_of(instance) == [*reversed(later[-KEPT:]), first]
    key = dg.AssetCheckKey(OF_EACH, "is_its_own")
    assert {tenant: last_verdicts(instance, [key], tenant)[key].run_id for tenant in ("acme", "beta")} == {"acme": first, "beta": later[-1]}
