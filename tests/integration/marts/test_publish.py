"""Publishing: readers never notice it, what users built survives it, and what failed is never published."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest

from dagster_project.marts.engine import NothingPublished
from dagster_project.marts.plan import STEP
from dagster_project.marts.refreshes import nothing_new
from tests.integration.marts.conftest import House, messages

PART = ("dim_date", "fct_runs", "model_performance", "experiment_summary", "mv_experiment_summary", "mv_model_performance")
# What data tests find is the matter of few tests here; to all others they would only take time.
NO_TESTS = ("--exclude-resource-type", "test")
TOTAL = "select experiment_id, total_runs from analytics.experiment_summary order by 1"


def rows(runs: int, **experiment: object) -> dict[str, list[dict[str, Any]]]:
    """One experiment with one model and so many runs."""
    started = datetime(2025, 1, 1, tzinfo=UTC)
    return {
        "experiments": [{"experiment_id": 1, "experiment_name": "e", "created_at": started, **experiment}],
        "runs": [
            {"run_id": n, "experiment_id": 1, "run_name": "r", "run_fingerprint": f"{n:064x}", "status": "completed", "start_time": started}
            for n in range(1, runs + 1)
        ],
        "models": [
            {
                "model_id": 1,
                "run_id": 1,
                "model_name": "m",
                "model_type": "AutoETS",
                "framework": "statsmodels",
                "model_config": {},
                "model_file_path": "/dev/null",
                "status": "evaluated",
                "created_at": started,
            }
        ],
    }


@pytest.fixture(scope="module")
def published_once(house: House) -> House:
    """A house that keeps a warehouse in which one run is published."""
    house.fill(rows(1))
    house.build(*PART, flags=NO_TESTS)
    house.keep()
    return house


@pytest.fixture
def published(published_once: House) -> House:
    """A house that has published one run."""
    published_once.reset()
    return published_once


def test_what_users_built_survives_builds(published: House) -> None:
    published.warehouse("create schema work; create view work.mine as select experiment_id, total_runs from analytics.experiment_summary")
    published.warehouse("create view work.old as select * from analytics.mv_experiment_summary")
    for runs in (2, 3):
        published.fill(rows(runs))
        published.build(*PART, flags=NO_TESTS)
        assert published.warehouse("select * from work.mine") == [(1, runs)]
        assert published.warehouse("select total_runs from work.old") == [(runs,)]


def test_open_readers_neither_block_nor_see_a_publish(published: House) -> None:
    reader = psycopg2.connect(published.warehouse_url)
    try:
        reader.set_session(isolation_level="REPEATABLE READ")
        with reader.cursor() as cursor:
            cursor.execute("set lock_timeout = '1s'")
            cursor.execute("select total_runs from analytics.mv_experiment_summary")
            assert cursor.fetchall() == [(1,)]
            published.fill(rows(2))
            published.build(*PART, flags=NO_TESTS)
            cursor.execute("select total_runs from analytics.experiment_summary")
            assert cursor.fetchall() == [(1,)]
            reader.commit()
            cursor.execute("select total_runs from analytics.mv_experiment_summary")
            assert cursor.fetchall() == [(2,)]
    finally:
        reader.close()


def on_insert(house: House, mart: str, action: str) -> None:
    """Let the publish do this in its transaction, after the rows of a mart."""
    house.warehouse(
        f"create schema work; create function work.act() returns trigger language plpgsql as 'begin {action}; return null; end';"
        f" create trigger act after insert on analytics.{mart} for each statement execute function work.act()"
    )


def test_readers_notice_nothing_of_a_publish_under_way(published: House) -> None:
    """A publish is stopped between two marts: readers go on with the earlier refresh, in every mart, and then change over at once."""
    published.fill(rows(2, experiment_name="second"))
    on_insert(published, "fct_runs", "perform pg_advisory_xact_lock(7)")

    def read() -> tuple[object, ...]:
        """The runs, the name and the refresh that readers see in every mart."""
        seen = published.warehouse(
            "set lock_timeout = '100ms';"
            " select distinct s.total_runs, v.total_runs, count(*) over (), s.experiment_name, r.group_name, m.experiment_name,"
            " (select max(refresh_id) from analytics.refreshes)"
            " from analytics.experiment_summary s join analytics.mv_experiment_summary v using (experiment_id)"
            " join analytics.fct_runs r on r.group_id = s.experiment_id::text join analytics.mv_model_performance using (experiment_id)"
            " join analytics.model_performance m using (experiment_id) join analytics.dim_date d on d.date_day = r.started_on"
        )
        assert len(seen) == 1
        (*totals, summary_name, run_name, model_name, refresh_id), *_ = seen
        assert len(set(totals)) == 1
        assert summary_name == run_name == model_name
        return totals[0], summary_name, refresh_id

    before = read()
    assert before[:2] == (1, "e")
    holder = psycopg2.connect(published.warehouse_url)
    with ThreadPoolExecutor() as pool, closing(holder), holder.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(7)")
        publish = pool.submit(published.build, *PART, flags=NO_TESTS)
        while not published.warehouse("select 1 from pg_locks where locktype = 'advisory' and objid = 7 and not granted"):
            assert not publish.done(), publish.result()
        for _ in range(10):
            assert read() == before
        cursor.execute("select pg_advisory_unlock(7)")
        while not publish.done():
            assert read()[:2] in ((1, "e"), (2, "second"))
        publish.result()
    after = read()
    assert after[:2] == (2, "second")
    assert after[2] != before[2]


def test_reader_who_never_ends_makes_a_changed_view_fail_and_nobody_wait(published: House) -> None:
    """Replacing the view needs a lock that the reader has; whoever comes later would queue behind it."""
    ((definition,),) = published.warehouse("select pg_get_viewdef('analytics.mv_experiment_summary'::regclass)")
    changed = f"create or replace view analytics.mv_experiment_summary as select * from ({definition.rstrip(';')}) as v where false"
    published.warehouse(changed)
    published.fill(rows(2))
    with closing(psycopg2.connect(published.warehouse_url)) as reader, reader.cursor() as cursor:
        cursor.execute("set role runmart_analyst; select * from analytics.mv_experiment_summary")
        assert "canceling statement due to lock timeout" in published.try_build(*PART, flags=NO_TESTS)
        assert published.warehouse(TOTAL) == [(1, 1)]
    published.build(*PART, flags=NO_TESTS)
    assert published.warehouse("select total_runs from analytics.mv_experiment_summary") == [(2,)]


def test_error_halfway_leaves_all_marts_as_they_were(published: House) -> None:
    published.fill(rows(2))
    on_insert(published, "model_performance", "raise exception ''the disk is full''")

    def contents() -> list[list[tuple[Any, ...]]]:
        return [published.warehouse(f"select m::text from analytics.{mart} as m order by 1") for mart in PART]

    before = contents()
    assert "the disk is full" in published.try_build(*PART, flags=NO_TESTS)
    assert contents() == before
    published.warehouse("drop schema work cascade")
    published.build(*PART, flags=NO_TESTS)
    assert published.warehouse(TOTAL) == [(1, 2)]


def test_failing_data_test_leaves_the_published_rows(published: House) -> None:
    broken = rows(2)
    published.fill(broken)
    # A status that no test of the source lets in, as it would look after the source changed its vocabulary.
    published.warehouse("update raw_forecast_tracking.runs set status = 'paused' where run_id = 2")
    assert "total_runs" in published.try_build(*PART)
    assert published.warehouse(TOTAL) == [(1, 1)]
    assert published.warehouse("select total_runs from analytics_next.experiment_summary") == [(2,)]


def test_mart_that_reads_a_table_which_holds_back_marts_is_not_published(published: House) -> None:
    """It may have begun to hold them back while they were built."""
    published.fill(rows(2))
    published.build(*PART, flags=NO_TESTS, publish=False)
    held = "insert into quality.held_tables (system, table_name, reason) values ('forecast_tracking', %s, 'it fails a_check')"
    published.warehouse(held, "user_experiments")
    published.warehouse(held, "runs")
    assert refused(published, *PART).startswith("forecast_tracking/runs holds back marts: it fails a_check. Run `runmart refresh` again")
    assert published.warehouse(TOTAL) == [(1, 1)]
    published.warehouse("delete from quality.held_tables where table_name = 'runs'")
    published.build(*PART, flags=NO_TESTS)
    assert published.warehouse(TOTAL) == [(1, 2)]


def refused(house: House, *marts: str) -> str:
    """Why candidates are not published."""
    with house.engine() as engine, pytest.raises(NothingPublished) as refusal:
        engine.publish(marts)
    return str(refusal.value)


def test_publishing_is_a_step_of_its_own(published: House) -> None:
    for runs in (2, 3):
        published.fill(rows(runs))
        published.build(flags=NO_TESTS, publish=False)
        assert published.warehouse(TOTAL) == [(1, runs - 1)]
        with published.engine() as engine:
            assert not engine.is_published()
            engine.publish()
            assert engine.is_published()
        assert published.warehouse(TOTAL) == [(1, runs)]
        # The experiment and the run that came.
        ((written,),) = published.warehouse("select marts from ops.refreshes order by refresh_id desc limit 1")
        assert {mart: counts for mart, counts in written.items() if mart in PART and any(counts.values())} == {
            "experiment_summary": {"inserted": 1, "deleted": 1},
            "fct_runs": {"inserted": 1, "deleted": 0},
        }


def test_build_that_failed_is_not_published(published: House) -> None:
    """Nor is an earlier one."""
    published.fill(rows(2))
    published.build(flags=NO_TESTS, publish=False)
    published.fill(rows(3))
    published.warehouse("update raw_forecast_tracking.runs set start_time = 'infinity' where run_id = 3")
    assert published.try_build().startswith("dim_date: Database Error")
    assert "has not built dim_date" in refused(published)
    assert published.warehouse(TOTAL) == [(1, 1)]


def test_candidates_of_two_refreshes_are_not_published_together(published: House) -> None:
    """The others would show an earlier state, and be taken for up to date from then on."""
    published.fill(rows(2))
    published.build("fct_runs", flags=NO_TESTS, publish=False)
    assert re.match("the last refresh has not built .*dim_date, experiment_summary, ", refused(published))
    assert published.warehouse(TOTAL) == [(1, 1)]


def test_testing_alone_is_no_refresh(published: House) -> None:
    """Candidates that are only tested after a sync must not be published as if they had read it."""
    published.build(flags=NO_TESTS, publish=False)
    before = published.warehouse("select * from ops.refresh_under_way")
    published.fill(rows(2))
    assert published.dbt("build", "--select", "resource_type:test").success
    assert published.warehouse("select * from ops.refresh_under_way") == before
    with published.engine() as engine:
        engine.publish()
    published.build(flags=NO_TESTS)
    assert published.warehouse(TOTAL) == [(1, 2)]


def test_dbt_by_itself_builds_whole_candidates_and_publishes_nothing(published: House) -> None:
    """And the next refresh does not take them for its own."""
    published.fill(rows(2))
    assert published.dbt("build", "--exclude-resource-type", "unit_test", "test").success
    assert "`runmart refresh` builds, checks and publishes" in (published.work / "logs" / "dbt.log").read_text(encoding="utf-8")
    assert published.warehouse("select total_runs from analytics_next.experiment_summary") == [(2,)]
    assert published.warehouse(TOTAL) == [(1, 1)]
    published.fill(rows(3))
    published.build(flags=NO_TESTS)
    assert published.warehouse(TOTAL) == [(1, 3)]
    assert published.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(True,)]


def test_part_of_the_marts_can_be_published(published: House) -> None:
    published.fill(rows(2))
    published.build(*PART, flags=NO_TESTS, publish=False)
    with published.engine() as engine:
        engine.publish(["fct_runs"])
    assert published.warehouse("select count(*) from analytics.fct_runs") == [(2,)]
    assert published.warehouse(TOTAL) == [(1, 1)]


FAILING = {"experiment_summary": "fails a_check"}


def held(house: House) -> dict[str, str]:
    """By mart that stands as it was, why."""
    return dict(house.warehouse("select mart, reason from quality.held_marts"))


def test_mart_that_fails_its_checks_stands_as_it_was_and_all_others_are_published(published: House) -> None:
    published.build(flags=NO_TESTS)
    published.fill(rows(2))
    published.build(flags=NO_TESTS, failing=FAILING)
    assert published.warehouse("select count(*) from analytics.fct_runs") == [(2,)]
    assert published.warehouse(TOTAL) == [(1, 1)]
    assert published.warehouse("select total_runs from analytics.mv_experiment_summary") == [(1,)]
    found = held(published)
    assert {"experiment_summary", "experiment_summary_history", "mv_experiment_summary"} <= found.keys()
    assert "fct_runs" not in found
    assert {*found.values()} == {"experiment_summary fails a_check"}
    status = "select is_held_back, held_because from analytics.data_quality_status where asset_key = 'analytics/experiment_summary'"
    assert published.warehouse(status) == [(True, "experiment_summary fails a_check")]
    # It would fail again.
    with published.transforming() as cursor:
        assert nothing_new(cursor) is not None
    published.fill(rows(3))
    published.build(flags=NO_TESTS)
    assert published.warehouse(TOTAL) == [(1, 3)]
    assert held(published) == {}
    assert published.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)]


def test_mart_whose_checks_pass_again_is_published_without_being_built_again(published: House) -> None:
    published.build(flags=NO_TESTS)
    published.fill(rows(2))
    published.build(flags=NO_TESTS, failing=FAILING)
    with published.engine() as engine:
        assert engine.is_published(FAILING)
        assert not engine.is_published()
        engine.publish()
        assert engine.is_published()
        assert not engine.is_published(FAILING)
    assert published.warehouse(TOTAL) == [(1, 2)]
    assert held(published) == {}


def test_model_whose_data_tests_fail_holds_back_what_needs_it_until_it_is_built_again(published: House) -> None:
    published.build(flags=NO_TESTS)
    published.fill(rows(2))
    published.build(flags=NO_TESTS, publish=False)
    with published.engine() as engine:
        assert engine.end({}, {"fct_runs": "fails not_null_fct_runs_execution_id"})
        engine.publish()
    assert published.warehouse("select count(*) from analytics.fct_runs") == [(1,)]
    assert published.warehouse(TOTAL) == [(1, 2)]
    assert held(published)["fct_runs"] == "fct_runs fails not_null_fct_runs_execution_id"
    with published.engine() as engine:
        assert engine.end({"fct_runs": "select"})
        engine.publish()
    assert published.warehouse("select count(*) from analytics.fct_runs") == [(2,)]
    assert held(published) == {}


def test_nothing_is_published_if_all_of_it_fails(published: House) -> None:
    published.fill(rows(2))
    everything = {model.name: "fails a_check" for model in published.plan.project.models.values()}
    assert "experiment_summary fails a_check" in published.try_build(flags=NO_TESTS, failing=everything)
    assert published.warehouse(TOTAL) == [(1, 1)]


def test_unknown_mart_is_named(published: House) -> None:
    assert refused(published, "no_such_mart") == "there is no mart no_such_mart; name models of dbt_project/models/marts"


def test_departed_column_stops_everything_until_it_is_accepted(published: House) -> None:
    published.warehouse("alter table analytics.model_performance add column departed text")
    published.fill(rows(2))
    assert "no longer has departed as published" in published.try_build(*PART, flags=NO_TESTS)
    # experiment_summary comes before model_performance: had each mart a transaction of its own, it would show two runs.
    assert published.warehouse(TOTAL) == [(1, 1)]
    published.build(*PART, flags=[*NO_TESTS, "--full-refresh"])
    assert published.warehouse(TOTAL) == [(1, 2)]
    assert (
        published.warehouse("select 1 from information_schema.columns where column_name = 'departed' and table_schema = 'analytics'") == []
    )


def test_new_column_is_added(published: House) -> None:
    published.warehouse("alter table analytics.experiment_summary drop column killed_runs cascade")
    published.build(*PART, flags=[*NO_TESTS, "--full-refresh"])
    assert published.warehouse("select killed_runs from analytics.experiment_summary") == [(0,)]


def test_analyst_reads_published_marts_and_nothing_else(published: House) -> None:
    published.warehouse("set role runmart_analyst; select * from analytics.mv_experiment_summary, analytics.experiment_summary")
    for schema, relation in (("analytics_next", "experiment_summary"), ("staging", "stg_forecast_tracking__runs")):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            published.warehouse(f"set role runmart_analyst; select * from {schema}.{relation}")


def test_rows_name_the_refresh_that_last_changed_them(published: House) -> None:
    before = published.warehouse("select source_batch_id, refreshed_at from analytics.fct_runs")
    published.fill(rows(2))
    batch = published.warehouse("select max(batch_id) from ops.batches")[0][0]
    published.build(*PART, flags=NO_TESTS)
    after = published.warehouse("select source_batch_id, refreshed_at from analytics.fct_runs order by execution_id")
    started_at = published.warehouse("select started_at from analytics.refreshes order by refresh_id desc limit 1")[0][0]
    assert after == [*before, (batch, started_at)]
    published.build(*PART, flags=[*NO_TESTS, "--full-refresh"])
    assert published.warehouse("select source_batch_id, refreshed_at from analytics.fct_runs order by execution_id") == after


def test_sync_during_a_build_is_not_published(published: House) -> None:
    """Marts that were built before and after a sync would not fit together."""
    published.fill(rows(2))
    with published.engine() as engine:
        engine.begin(full=False)
        published.fill(rows(3))
        assert not engine.end({model.name: "select" for model in published.plan.project.models.values()})
    assert "a sync wrote new rows while the marts were built" in refused(published)
    assert published.warehouse(TOTAL) == [(1, 1)]


def test_model_that_a_refresh_was_begun_without_is_not_built(published: House) -> None:
    """Its touched groups are not known: it would look as if nothing had changed."""
    published.build(flags=NO_TESTS)
    published.fill(rows(2))
    with published.engine() as engine, pytest.MonkeyPatch.context() as environment:
        environment.setenv("RUNMART_REFRESH", engine.begin(full=False, marts=["model_performance"]).started_at.isoformat())
        built = published.dbt("build", *NO_TESTS, "--select", "model_performance")
        other = published.dbt("build", *NO_TESTS, "--select", "fct_runs int_predictions_parsed")
    assert built.success
    assert {*re.findall(r"was begun without (\w+)", messages(other))} == {"fct_runs", "int_predictions_parsed"}


def test_mart_without_its_steps_is_refused(published: House) -> None:
    """What an earlier refresh left in a step says nothing about this one, if anything leads to the step."""
    published.fill(rows(2))
    together = [model.name for model in published.plan.published_with(["forecast_interval_accuracy"]) if model.kind != STEP]
    steps = {step.name for name in together for step in published.plan.project.read_by(name) if step.kind == STEP}
    with published.engine() as engine:
        engine.begin(full=False)
        published.warehouse("update ops.refresh_under_way set untouched = '{}'")
        engine.end(dict.fromkeys(together, "select"))
    missing = ", ".join(sorted(steps))
    assert missing
    assert f"has not built {missing}" in refused(published, "forecast_interval_accuracy")


def test_published_columns_are_documented(published: House) -> None:
    undocumented = published.warehouse(
        "select c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " where c.relnamespace = 'analytics'::regnamespace and c.relkind in ('r', 'v') and attnum > 0 and not attisdropped"
        " and (col_description(c.oid, attnum) is null or obj_description(c.oid) is null)"
    )
    assert undocumented == []
