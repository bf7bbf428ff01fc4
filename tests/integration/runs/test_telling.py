"""What a run tells of checks again, and what it leaves as it was told. The runs are real, of an asset that takes its place."""

from collections.abc import Iterator

import dagster as dg
import pytest

from dagster_project.components.telling import news
from dagster_project.internals.dagster import left_alone

KEY = dg.AssetKey(["shop", "orders"])


@dg.asset(key=KEY, config_schema={"is_new": dg.Field(bool, default_value=True)})
def orders(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Materialized where it is told to."""
    return dg.MaterializeResult() if context.op_execution_context.op_config["is_new"] else left_alone(KEY)


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec("a", asset=KEY), dg.AssetCheckSpec("b", asset=KEY)],
    can_subset=True,
    config_schema={"failing": dg.Field([str], default_value=[]), "rows": dg.Field(int, default_value=0)},
)
def found(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """Two checks, of which those fail that are told to; `a` has a number."""
    config = context.op_execution_context.op_config
    results = (
        dg.AssetCheckResult(asset_key=KEY, check_name=name, passed=name not in config["failing"], metadata=metadata)
        for name, metadata in (("a", {"rows": config["rows"], "batch": "7"}), ("b", {}))
    )
    yield from news(context, results)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    nowhere = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    with dg.instance_for_test(overrides={"compute_logs": nowhere}) as instance:
        yield instance


def told(instance: dg.DagsterInstance, *, is_new: bool = False, failing: tuple[str, ...] = (), rows: int = 0) -> set[str]:
    """The checks of which a run has told a result."""
    config = {"ops": {"shop__orders": {"config": {"is_new": is_new}}, "found": {"config": {"failing": [*failing], "rows": rows}}}}
    run = dg.materialize([orders, found], instance=instance, run_config=config)
    return {evaluation.check_name for evaluation in run.get_asset_check_evaluations()}


def test_what_passes_again_on_the_same_is_not_told_again(instance: dg.DagsterInstance) -> None:
    assert told(instance, is_new=True) == {"a", "b"}
    assert told(instance) == set()
    assert told(instance, is_new=True) == {"a", "b"}, "the asset is another"


def test_what_fails_is_told_each_time_and_that_it_passes_again_once(instance: dg.DagsterInstance) -> None:
    assert told(instance, is_new=True, failing=("b",)) == {"a", "b"}
    assert told(instance, failing=("b",)) == {"b"}
    assert told(instance) == {"b"}
    assert told(instance) == set()


def test_another_number_is_told(instance: dg.DagsterInstance) -> None:
    assert told(instance, is_new=True) == {"a", "b"}
    assert told(instance, rows=3) == {"a"}
    assert told(instance, rows=3) == set()


def test_a_check_that_is_asked_for_by_itself_is_told(instance: dg.DagsterInstance) -> None:
    told(instance, is_new=True)
    definitions = dg.Definitions([orders], asset_checks=[found], jobs=[dg.define_asset_job("check", dg.AssetSelection.checks(found))])
    run = definitions.resolve_job_def("check").execute_in_process(instance=instance)
    assert {evaluation.check_name for evaluation in run.get_asset_check_evaluations()} == {"a", "b"}
