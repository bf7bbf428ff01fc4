"""What Dagster's database holds of a run, and what it shows of a check whose run has ended before it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import dagster as dg
import pytest
from dagster_postgres import PostgresEventLogStorage

from dagster_project.internals.dagster_postgres import EventLog
from tests.databases import run

KEY = dg.AssetKey(["shop", "orders"])
CHECKS = [dg.AssetCheckKey(KEY, name) for name in ("passing", "failing", "new")]


@dg.asset(key=KEY, config_schema={"is_broken": dg.Field(bool, default_value=False)})
def orders(context: dg.AssetExecutionContext) -> None:
    """Fails where it is told to."""
    if context.op_execution_context.op_config["is_broken"]:
        raise RuntimeError("the source is down")


@dg.asset(deps=[orders])
def bills() -> None:
    """A further one, so that there is more than one plan."""


def checks(*names: str) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(specs=[dg.AssetCheckSpec(name, asset=KEY) for name in names])
    def found() -> Iterator[dg.AssetCheckResult]:
        for name in names:
            yield dg.AssetCheckResult(asset_key=KEY, check_name=name, passed=name != "failing", metadata={"rows": 3})

    return found


@pytest.fixture
def url(new_database: Callable[[str], str]) -> str:
    return new_database("empty")


@pytest.fixture
def instance(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance that keeps its events as that of a home does."""
    monkeypatch.setenv("RUNMART_DAGSTER_URL", url)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    storage = {"custom": {"module": "dagster_project.resources.storage", "class": "InstanceStorage", "config": {}}}
    with dg.instance_for_test(overrides={"storage": storage}) as instance:
        yield instance


def statuses(instance: dg.DagsterInstance) -> dict[str, tuple[str, str]]:
    """By check, the status of its last record, and the run that the record is of."""
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(CHECKS)
    return {key.name: (record.status.value, record.run_id) for key, record in found.items()}


def test_checks_of_a_run_that_failed_before_them_say_what_they_said(instance: dg.DagsterInstance) -> None:
    first = dg.materialize([orders, checks("passing", "failing")], instance=instance)
    before = {"passing": ("SUCCEEDED", first.run_id), "failing": ("FAILED", first.run_id)}
    assert statuses(instance) == before
    broken = {"ops": {"shop__orders": {"config": {"is_broken": True}}}}
    for _ in range(2):
        failed = dg.materialize([orders, checks("passing", "failing", "new")], instance=instance, run_config=broken, raise_on_error=False)
        assert not failed.success
        assert statuses(instance) == before


def test_a_run_plans_its_assets_and_every_one_of_its_verdicts_is_kept(instance: dg.DagsterInstance, url: str) -> None:
    runs = [dg.materialize([orders, bills, checks("passing", "failing")], instance=instance).run_id for _ in range(2)]
    for run_id in runs:
        kinds = Counter(kind for (kind,) in run(url, f"select dagster_event_type from event_logs where run_id = '{run_id}'"))
        assert (kinds["ASSET_MATERIALIZATION_PLANNED"], kinds["ASSET_MATERIALIZATION"]) == (2, 2)
        assert (kinds["ASSET_CHECK_EVALUATION_PLANNED"], kinds["ASSET_CHECK_EVALUATION"]) == (0, 2)
    verdicts = [("passing", "SUCCEEDED"), ("failing", "FAILED")]
    kept = run(url, "select check_name, execution_status, run_id from asset_check_executions order by id")
    assert kept == [(*verdict, run_id) for run_id in runs for verdict in verdicts]
    # The last plan of each asset is that of the last run, as the UI asks for it.
    assert {record.asset_entry.last_run_id for record in instance.get_asset_records([KEY, bills.key])} == {runs[-1]}


def test_a_step_that_is_tried_again_gives_a_check_one_verdict_which_is_the_last(instance: dg.DagsterInstance, url: str) -> None:
    @dg.multi_asset_check(specs=[dg.AssetCheckSpec("passing", asset=KEY), dg.AssetCheckSpec("failing", asset=KEY)])
    def found(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        is_second = context.op_execution_context.retry_number == 1
        yield dg.AssetCheckResult(asset_key=KEY, check_name="passing", passed=is_second)
        if not is_second:
            raise dg.RetryRequested(max_retries=1)
        yield dg.AssetCheckResult(asset_key=KEY, check_name="failing", passed=False)

    done = dg.materialize([orders, found], instance=instance)
    assert done.success
    assert statuses(instance) == {"passing": ("SUCCEEDED", done.run_id), "failing": ("FAILED", done.run_id)}
    assert run(url, "select count(*) from asset_check_executions") == [(2,)]
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key(CHECKS)[CHECKS[0]]
    assert record.event
    evaluation = record.event.asset_check_evaluation
    assert evaluation
    last = instance.get_latest_materialization_event(KEY)
    assert evaluation.target_materialization_data
    assert last
    assert evaluation.target_materialization_data.run_id == done.run_id
    assert run(url, "select distinct materialization_event_storage_id from asset_check_executions") == run(
        url, "select id from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
    )


def test_verdicts_name_the_materialization_that_they_are_of(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of the asset is asked once before the step materializes it, and once after."""
    asked = []

    @dg.multi_asset(specs=[dg.AssetSpec(KEY)], check_specs=[dg.AssetCheckSpec(name, asset=KEY) for name in "abcdef"])
    def orders_again() -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        for name in "abc":
            yield dg.AssetCheckResult(asset_key=KEY, check_name=name, passed=True)
        yield dg.MaterializeResult(asset_key=KEY)
        for name in "def":
            yield dg.AssetCheckResult(asset_key=KEY, check_name=name, passed=True)

    def counted(storage: PostgresEventLogStorage, asset_keys: Sequence[dg.AssetKey] | None = None) -> object:
        asked.append(asset_keys)
        return parent(storage, asset_keys)

    first = dg.materialize([orders], instance=instance).run_id
    parent = PostgresEventLogStorage.get_asset_records
    monkeypatch.setattr(PostgresEventLogStorage, "get_asset_records", counted)
    second = dg.materialize([orders_again], instance=instance)
    targets = {
        evaluation.check_name: evaluation.target_materialization_data.run_id if evaluation.target_materialization_data else None
        for evaluation in second.get_asset_check_evaluations()
    }
    assert targets == dict(zip("abcdef", [first] * 3 + [second.run_id] * 3, strict=True))
    assert len(asked) < len(targets)


def test_verdict_without_a_run_is_stored_at_once(instance: dg.DagsterInstance) -> None:
    instance.report_runless_asset_event(dg.AssetCheckEvaluation(asset_key=KEY, check_name="passing", passed=True, metadata={}))
    assert {name: status for name, (status, _) in statuses(instance).items()} == {"passing": "SUCCEEDED"}


def test_events_do_not_wait_for_the_disk(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.event_log_storage, EventLog)
    with instance.event_log_storage.index_connection() as connection:
        assert connection.exec_driver_sql("show synchronous_commit").scalar() == "off"
