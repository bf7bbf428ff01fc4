"""From source to published mart: what a full run does, what a failed check stops, who may read what, and who is told."""

import logging
from unittest.mock import Mock

import dagster as dg
import psycopg2
import pytest

from dagster_project.commands.runs import RunReport, loaded_definitions
from dagster_project.components.source_system import raw_assets
from dagster_project.contracts.loading import shared_contracts
from dagster_project.definitions import definitions_of
from dagster_project.defs.agreement import CHECK as AGREEMENT
from dagster_project.internals.dagster import has_failed, last_verdicts
from dagster_project.marts.verification import CHECK as VERIFICATION
from dagster_project.resources.alerts import Alerts
from dagster_project.resources.share import share_of
from dagster_project.resources.warehouse import Sources, Warehouses
from dagster_project.warehouse import DEFAULT
from tests.alerts import receiver
from tests.dbt_manifest import marts_of, shared_manifest
from tests.e2e.conftest import SYSTEM, Platform

# Those that say what a source says now: neither what they said before, nor what the platform has done.
MARTS = [
    name for name, mart in marts_of(shared_manifest()).items() if mart["config"]["materialized"] != "mart_history" and not mart["sources"]
]


RAW = {(SYSTEM, table) for table in shared_contracts()[SYSTEM].tables}
FULL = {"ops": {"transformation": {"config": {"full": True}}}}


@pytest.fixture
def first(platform: Platform) -> RunReport:
    """Report of the first full run."""
    assert platform.first is not None
    return platform.first


def published(platform: Platform) -> dict[str, list[tuple[object, ...]]]:
    """Every published row, as text."""
    return {mart: sorted(platform.warehouse(f"select m::text from analytics.{mart} as m")) for mart in MARTS}


def checks_of_a_refresh() -> set[dg.AssetCheckKey]:
    """All but those that compute again what was just computed, which have jobs and schedules of their own."""
    keys = definitions_of(DEFAULT).resolve_asset_graph().asset_check_keys
    return {key for key in keys if key.name not in (AGREEMENT, VERIFICATION)}


def test_first_run_builds_every_asset_and_passes_every_check(first: RunReport) -> None:
    graph = definitions_of(DEFAULT).resolve_asset_graph()
    assert first.errors == []
    assert first.failed_checks == []
    assert first.is_success
    assert set(first.assets) == {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).is_materializable}
    assert first.passed_checks == len(checks_of_a_refresh())


def test_materialization_of_a_raw_table_says_what_happened(platform: Platform, first: RunReport) -> None:
    ((rows,),) = platform.source("select count(*) from metrics")
    metadata = first.assets[f"{SYSTEM}/metrics"]
    assert {name: metadata[name] for name in ("dagster/row_count", "rows_read", "rows_inserted", "rows_updated", "rows_deleted")} == {
        "dagster/row_count": rows,
        "rows_read": rows,
        "rows_inserted": rows,
        "rows_updated": 0,
        "rows_deleted": 0,
    }
    assert platform.warehouse("select snapshot from ops.batches where batch_id = {}".format(metadata["batch"])) == [
        (metadata["watermark"],)
    ]


def test_published_rows_are_those_that_were_checked(platform: Platform) -> None:
    for mart in MARTS:
        both = [platform.warehouse(f"select m::text from {schema}.{mart} as m order by 1") for schema in ("analytics", "analytics_next")]
        assert both[0] == both[1], mart
    assert platform.warehouse("select count(*) from analytics.model_leaderboard where model_rank = 1") == [(2,)]


def test_run_with_nothing_new_says_which_refresh_stands_and_leaves_all_else_as_it_was_told(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    refreshes = platform.warehouse("select max(refresh_id), count(*) from ops.refreshes")
    before, starts, told = published(platform), starts_of_dbt(platform), last_verdicts(platform.instance, checks_of_a_refresh())
    report = platform.run("sync_and_refresh")
    assert (report.is_success, report.errors, report.failed_checks, report.passed_checks) == (True, [], [], 0)
    assert {asset: said.get("unchanged_since_refresh") for asset, said in report.assets.items()} == {
        "analytics/publication": refreshes[0][0]
    }
    assert platform.warehouse("select max(refresh_id), count(*) from ops.refreshes") == refreshes
    assert published(platform) == before
    assert starts_of_dbt(platform) == starts
    # Every check stands as it was told, and Dagster warns of none.
    assert last_verdicts(platform.instance, checks_of_a_refresh()) == told
    assert {has_failed(verdict) for verdict in told.values()} == {False}
    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING and record.name.startswith("dagster")]
    assert warned == []


def test_one_changed_row_is_told_of_the_assets_that_it_leads_to_and_of_no_others(platform: Platform) -> None:
    told = last_verdicts(platform.instance, checks_of_a_refresh())
    platform.source("update metrics set metric_value = metric_value + 0.001 where metric_id = (select min(metric_id) from metrics)")
    before = published(platform)
    report = platform.run("sync_and_refresh")
    assert (report.is_success, report.failed_checks) == (True, [])
    read = {f"{SYSTEM}/metrics", f"staging/stg_{SYSTEM}__metrics", "staging/int_metrics_classified", "analytics/publication"}
    now = published(platform)
    changed = {f"analytics/{mart}" for mart in MARTS if now[mart] != before[mart]}
    assert changed
    assert report.assets.keys() >= read | changed
    # What is made of other tables only is left as it was.
    assert not report.assets.keys() & {f"{SYSTEM}/runs", f"staging/stg_{SYSTEM}__runs", "analytics/fct_runs", "analytics/forecast_accuracy"}
    # Each of these assets has been checked as it is now; of checks on others only what reads one of these has a new verdict, and what is
    # asked of Runmart's own records, of which there is one more.
    verdicts = last_verdicts(platform.instance, checks_of_a_refresh())
    assert verdicts.keys() == told.keys()
    again = {key for key in verdicts if verdicts[key].run_id == report.run_id}
    assert {key for key in verdicts if key.asset_key.to_user_string() in report.assets} <= again
    manifest = shared_manifest()
    names = {asset.rpartition("/")[2] for asset in report.assets}
    reading = {
        node["name"]
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "test" and {parent.rpartition(".")[2] for parent in manifest["parent_map"][unique_id]} & names
    }
    records = {f"analytics/{mart}" for mart in marts_of(manifest) if not share_of(DEFAULT).plan.project.behind(mart) & RAW}
    assert {key.name for key in again if key.asset_key.to_user_string() not in {*report.assets, *records}} <= reading
    assert {key: verdicts[key] for key in verdicts.keys() - again} == {key: told[key] for key in told.keys() - again}


def test_a_run_records_its_events_over_few_connections(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = Mock(wraps=psycopg2.connect)
    monkeypatch.setattr(psycopg2, "connect", connect)
    report = platform.run("refresh")
    to_instance = [call for call in connect.call_args_list if "e2e_dagster" in str(call)]
    assert len(to_instance) < len(platform.instance.all_logs(report.run_id)) / 4
    assert len(to_instance) < len(connect.call_args_list)


def test_drop_in_views_equal_the_source(platform: Platform) -> None:
    for view in ("mv_experiment_summary", "mv_model_performance"):
        platform.source(f"refresh materialized view {view}")
        rows = platform.source(f"select v::text from {view} as v order by 1")
        assert rows
        assert platform.warehouse(f"select v::text from analytics.{view} as v order by 1") == rows


def test_every_result_is_kept_with_the_run_and_the_batch(platform: Platform, first: RunReport) -> None:
    results = platform.warehouse(
        f"""
        select split_part(suite, '.', 1), count(*), count(distinct batch_id) from quality.validation_results
        where run_id = '{first.run_id}' group by 1
        """
    )
    assert sum(expectations for _, expectations, _ in results) == sum(
        len(suite.expectations) for suite in share_of(DEFAULT).suites.values()
    )
    batches = {source: count for source, _, count in results}
    assert [batches[system] for system in shared_contracts()] == [1] * len(shared_contracts())


def test_analyst_reads_marts_and_quality_and_nothing_else(platform: Platform) -> None:
    relations = platform.warehouse(
        """
        select n.nspname, c.relname from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace
        where c.relkind in ('r', 'v', 'm', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
        """
    )
    for_the_platform = {*(f"raw_{system}" for system in shared_contracts()), "staging", "kept", "analytics_next", "ops", "locks", "public"}
    assert {schema for schema, _ in relations} == {"analytics", "quality", *for_the_platform}
    for schema, relation in relations:
        if schema in ("analytics", "quality"):
            platform.warehouse(f'select * from {schema}."{relation}" limit 1', user="runmart_analyst")
        else:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                platform.warehouse(f'select * from {schema}."{relation}" limit 1', user="runmart_analyst")


@pytest.mark.parametrize(
    "statement",
    [
        "delete from analytics.experiment_summary",
        "update quality.validation_results set is_success = true",
        "create table analytics.mine (n integer)",
        "create table public.mine (n integer)",
        "create schema mine",
        "set role runmart_transform",
        "set role runmart_ingest",
        "select pg_advisory_lock(hashtext('runmart publish'))",
        "select lo_create(0)",
    ],
)
def test_analyst_changes_nothing(platform: Platform, statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        platform.warehouse(statement, user="runmart_analyst")


def test_migrations_have_set_the_limits_of_analysts(platform: Platform) -> None:
    limits = platform.warehouse(
        "select current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout'),"
        " current_setting('temp_file_limit'), rolconnlimit from pg_roles where rolname = current_user",
        user="runmart_analyst",
    )
    assert limits == [("5min", "1min", "1GB", 200)]


def evaluate_failed_checks(platform: Platform, url: str, cursor: str | None) -> str:
    repository = loaded_definitions().get_repository_def()
    context = dg.build_sensor_context(
        instance=platform.instance, repository_def=repository, cursor=cursor, resources={"alerts": Alerts(fixed_urls=[url])}
    )
    repository.get_sensor_def("failed_checks")(context)
    assert context.cursor is not None
    return context.cursor


def requested(
    platform: Platform, last: dg.EvaluateAutomationConditionsResult | None
) -> tuple[set[str], dg.EvaluateAutomationConditionsResult]:
    """What the automation asks for since it was last looked at, and this look."""
    result = dg.evaluate_automation_conditions(loaded_definitions(), platform.instance, cursor=last.cursor if last else None)
    return {one.key.to_user_string() for one in result.results if one.true_subset.size}, result


def test_row_that_breaks_a_rule_is_set_aside_people_are_told_once_and_it_comes_back(platform: Platform) -> None:
    counted = "select sum(sample_count + unusable_count) from analytics.metric_summary"
    ((metrics, first, value),) = platform.source("select count(*), min(metric_id), max(metric_value) + 1 from metrics")
    with receiver() as (url, messages):
        cursor = evaluate_failed_checks(platform, url, None)
        assert messages == []

        platform.source(f"update metrics set metric_value = 'NaN' where metric_id = {first}")
        platform.source(f"update metrics set metric_value = {value} where metric_id = {first} + 1")
        report = platform.run("sync_and_refresh")
        assert (report.is_success, report.errors) == (True, [])
        assert [check.check_name for check in report.failed_checks] == ["values_are_finite"]
        assert report.in_quarantine == {f"{SYSTEM}/metrics": 1}
        assert platform.warehouse(counted) == [(metrics - 1,)]
        assert platform.warehouse(f"select count(*) from analytics.metric_summary where {value} in (best_value, worst_value)") == [(1,)]

        (failing,) = report.failed_checks
        assert failing.metadata["failing_rows"].value == 1
        query = str(failing.metadata["failing_query"].value).removeprefix("```sql\n").removesuffix("\n```")
        assert [row[0] for row in platform.warehouse(query)] == [first]

        cursor = evaluate_failed_checks(platform, url, cursor)
        assert len(messages) == 1
        assert "forecast_tracking/metrics, values_are_finite: 1 failing rows" in messages[0]["message"]
        evaluate_failed_checks(platform, url, cursor)
        assert len(messages) == 1

    platform.source(f"update metrics set metric_value = 1 where metric_id = {first}")
    report = platform.run("sync_and_refresh")
    assert (report.is_success, report.failed_checks, report.in_quarantine) == (True, [], {})
    assert platform.warehouse(counted) == [(metrics,)]


def test_table_of_which_too_much_is_wrong_holds_back_marts_that_read_it_and_no_others(platform: Platform) -> None:
    plan = share_of(DEFAULT).plan
    held = {mart for mart in MARTS if (SYSTEM, "model_registry") in plan.project.behind(mart)}
    assert held
    assert held < {*MARTS}
    before = published(platform)
    _, automation = requested(platform, None)
    platform.source("create table kept as table model_registry")
    platform.source("delete from model_registry where registry_id > (select min(registry_id) from kept)")
    try:
        for change in (1, 2):
            platform.source(
                "update runs set execution_duration_seconds = execution_duration_seconds + 1, end_time = end_time + interval '1 second'"
                " where run_id = (select min(run_id) from runs where status = 'completed')"
            )
            report = platform.run("sync_and_refresh")
            assert (report.is_success, report.errors, report.holds_back) == (True, [], True)
            assert {check.check_name for check in report.failed_checks} == {"row_count_did_not_collapse", "is_fit_for_marts"}
            told = report.assets["analytics/publication"]["held_back"]
            assert isinstance(told, list)
            assert {row["mart"] for row in told} >= held
            now = published(platform)
            assert {mart for mart in MARTS if now[mart] != before[mart]} & held == set()
            assert now["fct_runs"] != before["fct_runs"]
            assert platform.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)], change
            before = now
        again = platform.run("refresh")
        assert again.assets["analytics/publication"]["unchanged_since_refresh"]
    finally:
        platform.source("insert into model_registry overriding system value select * from kept on conflict do nothing; drop table kept")
    report = platform.run("sync_and_refresh")
    assert (report.is_success, report.failed_checks, report.holds_back) == (True, [], False)
    after = published(platform)
    assert {mart for mart in held if after[mart] != before[mart]}
    assert platform.run("refresh", FULL).is_success
    assert published(platform) == after
    # What held back marts is asked for again by itself.
    wanted, _ = requested(platform, automation)
    assert wanted == set()


@pytest.mark.parametrize(
    ("mart", "damage", "check"),
    [
        ("model_leaderboard", "mae = -1", "errors_are_not_negative"),
        # The suite of this one lets it pass, and dbt's test does not.
        ("metric_summary", "metric_direction = 'sideways'", "accepted_values_metric_summary_metric_direction__lower__higher__target"),
    ],
    ids=["suite", "data test"],
)
def test_mart_that_fails_a_check_stands_as_it_was_with_what_needs_it(platform: Platform, mart: str, damage: str, check: str) -> None:
    """The candidate is spoilt as it is built, so that raw and every model are right and only checks of the mart can see it."""
    held = share_of(DEFAULT).plan.held_with([mart]).keys() & {*MARTS}
    assert held < {*MARTS}
    ((run_id,),) = platform.warehouse(
        "select min(run_id) from analytics.model_leaderboard inner join analytics.model_performance using (model_id)"
    )
    change = (
        f"update metrics set timestamp = timestamp + interval '1 second' where run_id = {run_id};"
        "update runs set execution_duration_seconds = execution_duration_seconds + 1, end_time = end_time + interval '1 second'"
        f" where run_id = {run_id}"
    )
    before = published(platform)
    platform.source(change)
    platform.warehouse(
        f"""
        create function public.spoil() returns trigger language plpgsql as $$
        begin
            new.{damage};
            return new;
        end $$;
        create trigger spoil before insert on analytics_next.{mart}__changes for each row execute function public.spoil()
        """
    )
    try:
        report = platform.run("sync_and_refresh")
    finally:
        platform.warehouse("drop function public.spoil() cascade")
    assert (report.is_success, report.errors, report.holds_back) == (True, [], True)
    assert check in {found.check_name.rpartition(".")[0] or found.check_name for found in report.failed_checks}
    told = report.assets["analytics/publication"]["held_back"]
    assert isinstance(told, list)
    assert {row["mart"] for row in told} >= held
    assert all(row["reason"].startswith(f"{mart} fails {check}") for row in told)
    now = published(platform)
    assert {name for name in held if now[name] != before[name]} == set()
    assert now["fct_runs"] != before["fct_runs"]
    # What has failed would fail again: nothing is built, and nothing is told anew.
    again = platform.run("refresh")
    assert again.is_success
    assert again.assets["analytics/publication"]["unchanged_since_refresh"]
    platform.source(change)
    report = platform.run("sync_and_refresh")
    assert (report.is_success, report.failed_checks, report.holds_back) == (True, [], False)
    assert platform.warehouse("select mart from quality.held_marts") == []


def test_what_has_changed_and_was_held_back_so_far_has_left_what_a_full_refresh_makes(platform: Platform) -> None:
    before = published(platform)
    assert platform.run("refresh", FULL).is_success
    assert published(platform) == before


def test_failed_run_is_reported_with_its_cause(platform: Platform) -> None:
    platform.source("alter table tags rename to labels")
    try:
        report = platform.run(f"sync_{SYSTEM}")
    finally:
        platform.source("alter table labels rename to tags")
    assert not report.is_success
    (line,) = report.errors
    assert line.startswith(f"{SYSTEM}.tags stands still since ")
    assert 'relation "public.tags" does not exist' in line
    run = platform.instance.get_run_by_id(report.run_id)
    assert run is not None
    failure = platform.instance.get_records_for_run(report.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records[0]
    assert failure.event_log_entry.dagster_event is not None
    with receiver() as (url, messages):
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs",
            dagster_instance=platform.instance,
            dagster_run=run,
            dagster_event=failure.event_log_entry.dagster_event,
            resources={"alerts": Alerts(fixed_urls=[url])},
        ).for_run_failure()
        loaded_definitions().get_repository_def().get_sensor_def("failed_runs")(context)
    assert [message["title"] for message in messages] == [f"Runmart: run of sync_{SYSTEM} failed"]


def test_table_that_stands_still_holds_up_no_mart_that_does_not_read_it(platform: Platform) -> None:
    platform.source("alter table tags rename to labels")
    platform.source("update metrics set metric_value = metric_value + 1 where metric_id = (select min(metric_id) from metrics)")
    ((value,),) = platform.source("select metric_value from metrics where metric_id = (select min(metric_id) from metrics)")
    try:
        report = platform.run("sync_and_refresh")
    finally:
        platform.source("alter table labels rename to tags")
    assert not report.is_success
    (line,) = report.errors
    assert line.startswith(f"{SYSTEM}.tags stands still since ")
    assert f"{SYSTEM}/tags" not in report.assets
    assert platform.warehouse(f"select count(*) from analytics.metric_summary where {value} in (best_value, worst_value, mean_value)") != [
        (0,)
    ]
    assert [check.asset_key.path[-1] for check in report.failed_checks] == ["tags"]
    assert platform.run(f"sync_{SYSTEM}").is_success


def test_table_that_was_never_synced_leaves_out_what_is_built_on_it(platform: Platform) -> None:
    tags = dg.AssetKey([SYSTEM, "tags"])
    platform.instance.wipe_assets([tags])
    platform.warehouse(f"drop table raw_{SYSTEM}.tags cascade; delete from ops.table_state where table_name = 'tags'")
    platform.source("alter table tags rename to labels")
    platform.source("update metrics set metric_value = metric_value + 1 where metric_id = (select min(metric_id) from metrics)")
    before = published(platform)
    try:
        report = platform.run("sync_and_refresh")
    finally:
        platform.source("alter table labels rename to tags")
    (line,) = report.errors
    assert line.startswith(f"{SYSTEM}.tags stands still since ")
    assert f"staging/stg_{SYSTEM}__tags" not in report.assets
    assert "analytics/publication" in report.assets
    assert published(platform) != before
    assert platform.run("sync_and_refresh").is_success
    assert platform.warehouse(f"select count(*) from staging.stg_{SYSTEM}__tags") == platform.source("select count(*) from tags")


def materialize_raw(platform: Platform, sources: Sources) -> dg.ExecuteInProcessResult:
    resources = {"warehouses": Warehouses(), "sources": sources}
    return dg.materialize(
        [raw_assets(shared_contracts()[SYSTEM], DEFAULT)], instance=platform.instance, resources=resources, raise_on_error=False
    )


def test_lost_connection_is_tried_again(platform: Platform) -> None:
    result = materialize_raw(platform, Sources(fixed_urls={SYSTEM: "postgresql://nobody@127.0.0.1:1/nothing"}))
    assert not result.success
    retries = [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY]
    assert [event.step_retry_data.seconds_to_wait for event in retries] == [1, 2, 4]


def test_drift_is_not_tried_again(platform: Platform) -> None:
    platform.source("alter table tags rename column tag_name to name")
    try:
        result = materialize_raw(platform, Sources())
    finally:
        platform.source("alter table tags rename column name to tag_name")
    assert not [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY]
    assert dg.AssetKey([SYSTEM, "tags"]) not in {event.asset_key for event in result.get_asset_materialization_events()}
    ((reason,),) = platform.warehouse("select reason from ops.standing_tables")
    assert "no column tags.tag_name" in reason
    assert platform.run(f"sync_{SYSTEM}").is_success


def test_check_job_builds_nothing_and_runs_every_check(platform: Platform) -> None:
    """All but those of Great Expectations, which has a job of its own."""
    report = platform.run("check")
    assert report.is_success
    assert report.assets == {}
    keys = definitions_of(DEFAULT).resolve_asset_graph().asset_check_keys
    assert report.passed_checks == len({key for key in keys if key.name != AGREEMENT})


def starts_of_dbt(platform: Platform) -> list[str]:
    """What each wrote to its log."""
    # The oldest part has the highest number.
    parts = sorted((platform.databases.settings.home / "dbt").glob("dbt.log*"), reverse=True)
    return "".join(part.read_text(encoding="utf-8") for part in parts).split('"msg": "Running with dbt')[1:]


def test_a_refresh_starts_dbt_once_and_parses_nothing_again(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_LOG_LEVEL_FILE", "info")
    earlier = len(starts_of_dbt(platform))
    platform.source("update experiments set status = 'archived' where experiment_id = 1")
    before = published(platform)
    assert platform.run("sync_and_refresh").is_success
    assert published(platform) != before
    (start,) = starts_of_dbt(platform)[earlier:]
    assert "Unable to do partial parsing" not in start
