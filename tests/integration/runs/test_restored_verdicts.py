"""A run that ends before its checks were asked leaves them as they were."""

from collections.abc import Iterator

import dagster as dg
import pytest

from dagster_project.internals.dagster import last_verdicts, restore_verdicts

KEY = dg.AssetKey(["shop", "orders"])
PASSING, FAILING, NEW = (dg.AssetCheckKey(KEY, name) for name in ("passing", "failing", "new"))


@dg.asset(key=KEY, config_schema={"is_broken": dg.Field(bool, default_value=False)})
def orders(context: dg.AssetExecutionContext) -> None:
    """Fails where it is told to."""
    if context.op_execution_context.op_config["is_broken"]:
        raise RuntimeError("the source is down")


def checks(*names: str) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(specs=[dg.AssetCheckSpec(name, asset=KEY) for name in names])
    def found() -> Iterator[dg.AssetCheckResult]:
        for name in names:
            yield dg.AssetCheckResult(asset_key=KEY, check_name=name, passed=name != "failing", metadata={"rows": 3})

    return found


def statuses(instance: dg.DagsterInstance) -> dict[str, tuple[str, str | None]]:
    """By check, the status of its last record, and the run that the record is of."""
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key([PASSING, FAILING, NEW])
    return {key.name: (record.status.value, record.run_id or None) for key, record in found.items()}


def evaluations(instance: dg.DagsterInstance) -> dict[str, dg.AssetCheckEvaluation]:
    """What checks said last, with all that they said."""
    events = [record.event for record in last_verdicts(instance, [PASSING, FAILING]).values()]
    found = [event.asset_check_evaluation for event in events if event]
    return {evaluation.check_name: evaluation for evaluation in found if evaluation}


@pytest.mark.parametrize("times", [1, 2])
def test_checks_of_a_run_that_failed_before_them_say_what_they_said(times: int) -> None:
    with dg.instance_for_test() as instance:
        dg.materialize([orders, checks("passing", "failing")], instance=instance)
        before = evaluations(instance)
        assert {name: evaluation.passed for name, evaluation in before.items()} == {"passing": True, "failing": False}
        for _ in range(times):
            run = dg.materialize(
                [orders, checks("passing", "failing", "new")],
                instance=instance,
                run_config={"ops": {"shop__orders": {"config": {"is_broken": True}}}},
                raise_on_error=False,
            )
            assert statuses(instance) == dict.fromkeys(("passing", "failing", "new"), ("PLANNED", run.run_id))
            restore_verdicts(instance, run.run_id)
            restored = statuses(instance)
            assert {name: status for name, (status, _) in restored.items()} == {
                "passing": "SUCCEEDED",
                "failing": "FAILED",
                "new": "PLANNED",
            }
        assert evaluations(instance) == before


def test_checks_that_a_run_came_to_are_left_alone() -> None:
    with dg.instance_for_test() as instance:
        run = dg.materialize([orders, checks("passing", "failing")], instance=instance)
        before = statuses(instance)
        restore_verdicts(instance, run.run_id)
        assert statuses(instance) == before == {"passing": ("SUCCEEDED", run.run_id), "failing": ("FAILED", run.run_id)}
