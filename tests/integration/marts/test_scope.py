"""A refresh reads what it needs: rows by their indexes, and the tests of rows that were not recomputed are not run again."""

import re
from contextlib import closing
from datetime import UTC, datetime

import psycopg2
import pytest

from benchmarks.warm_marts import built
from dagster_project.marts.postgres.engine import PREFER_INDEXES
from dagster_project.marts.postgres.names import relation
from dagster_project.marts.postgres.narrowing import replaced
from dagster_project.marts.postgres.touching import values_in_batches
from tests.integration.marts.conftest import House, messages
from tests.integration.marts.oracle import refresh

STARTED = datetime(2025, 1, 1, tzinfo=UTC)
EXPERIMENTS = [{"experiment_id": key, "experiment_name": f"e{key}", "created_at": STARTED, "updated_at": STARTED} for key in (1, 2)]
RUNS = [
    {
        "run_id": key,
        "experiment_id": key,
        "run_name": "r",
        "run_fingerprint": f"{key:064x}",
        "status": "completed",
        "start_time": STARTED,
        "created_at": STARTED,
        "updated_at": STARTED,
    }
    for key in (1, 2)
]

LIKE_PUBLISHED = "insert into analytics.experiment_summary_history select * from analytics.experiment_summary_history"
MODEL = {"model_name": "m", "model_type": "t", "framework": "f", "model_config": "{}", "created_at": STARTED}
# Of the mart over several systems, what is recomputed by runs.
RUNS_FAMILY = "fct_runs__forecast_tracking"


@pytest.fixture(scope="module")
def one_recomputed(house: House) -> House:
    """A house whose last refresh has recomputed run 2 and left run 1 alone."""
    house.fill({})
    refresh(house)
    # Raw remembers which experiment a run of this number has left, and a change of the run touches that one too.
    house.warehouse("truncate raw_forecast_tracking.runs")
    house.fill({"experiments": EXPERIMENTS, "runs": RUNS})
    refresh(house)
    house.source("update runs set status = 'failed' where run_id = 2")
    house.sync()
    refresh(house)
    assert house.warehouse(f"select run_id from analytics_next.{RUNS_FAMILY}__keys") == [(2,)]
    assert house.warehouse("select experiment_id from analytics_next.experiment_summary__keys") == [(2,)]
    house.keep()
    return house


def test_views_on_touched_groups_are_planned_together_with_what_reads_them(one_recomputed: House) -> None:
    """Else no index of a raw table is used for what a mart joins with them: https://github.com/postgres/postgres, `is_simple_subquery`."""
    kept_apart = "select count(*) filter (where pg_get_viewdef(oid) ~* '^\\s*with '), count(*) from pg_class"
    ((apart, views),) = one_recomputed.warehouse(f"{kept_apart} where relkind = 'v' and relname like '%%\\_\\_of\\_\\_stg\\_%%'")
    assert (apart, views > 0) == (0, True)


def test_summary_marts_look_up_the_metrics_that_they_show(house: House) -> None:
    """However many others a run has, by an index that the contract declares; and group by group, so that groups are sorted apart."""
    keys = range(1, 21)
    metric = {"metric_value": 1.0, "timestamp": STARTED}
    house.fill(
        {
            "experiments": EXPERIMENTS,
            "runs": [{**RUNS[key % 2], "run_id": key, "run_fingerprint": f"{key:064x}"} for key in keys],
            "models": [{**MODEL, "model_id": key, "run_id": key, "model_file_path": f"/{key}"} for key in keys],
            "metrics": [
                {**metric, "metric_id": 1000 * key + step, "run_id": key, "model_id": key, "metric_step": step, **kind}
                for key in keys
                for step, kind in enumerate(
                    {"metric_name": name, "dataset_type": split}
                    for name, split in [("mae", "test"), ("rmse", "validation"), *[("loss", "test")] * 8] * 20
                )
            ],
        }
    )
    refresh(house)
    house.warehouse("analyze raw_forecast_tracking.metrics")
    house.source("update metrics set metric_value = 2 where metric_name = 'mae'")
    house.sync()
    with house.engine() as engine, pytest.MonkeyPatch.context() as environment:
        environment.setenv("RUNMART_REFRESH", engine.begin(full=False).started_at.isoformat())
        queries = built(house.dbt("build", "--exclude-resource-type", "unit_test", "test").result)
    ((known,),) = house.warehouse("select relations from ops.refresh_under_way")
    for mart in ("experiment_summary", "model_performance"):
        reads = {tuple(of.split(".")): relation("analytics_next", view) for of, view in known[mart]["reads"].items()}
        query = replaced(queries[mart], reads.get)
        # As a large history is planned, of which this is a small part.
        plan = "".join(f"{line}\n" for (line,) in house.warehouse(f"set enable_seqscan = off; explain {query}"))
        assert "Incremental Sort" in plan
        assert len(re.findall("Index Scan using metrics_declared_.*\n.*Index Cond: .* = .* = .* = .*\n(?!.*Filter)", plan)) == 1


@pytest.mark.parametrize(
    ("table", "key", "column"), [("metrics", "metric_id", "run_id"), ("metrics", "metric_id", "model_id"), ("models", "model_id", "run_id")]
)
def test_changed_parents_are_found_without_reading_all_rows(house: House, table: str, key: str, column: str) -> None:
    """Two batches of 20,000 rows with 20 parents, or none: the index is read from its root a few times for each parent."""
    house.fill({"experiments": EXPERIMENTS})
    seen = house.sync()
    asked = f"{PREFER_INDEXES}; {values_in_batches(relation('raw_forecast_tracking', table), [column], seen)}"
    fetched = f"select pg_stat_get_xact_blocks_fetched('raw_forecast_tracking.{table}__batch_id_{column}_idx'::regclass)"
    # Nothing is committed.
    with closing(psycopg2.connect(house.warehouse_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"insert into raw_forecast_tracking.{table} ({key}, {column}, _batch_id, _synced_at)"
            f" select 1000000 + number, nullif(number % 21, 0), {seen} + 1 + number % 2, now() from generate_series(1, 40000) as number;"
            f" analyze raw_forecast_tracking.{table}; {fetched}"
        )
        ((before,),) = cursor.fetchall()
        cursor.execute(asked)
        found = cursor.fetchall()
        cursor.execute(fetched)
        ((after,),) = cursor.fetchall()
    assert sorted(found) == [(parent, seen + batch) for parent in range(1, 21) for batch in (1, 2)]
    assert len(found) < after - before < 4 * len(found)


@pytest.mark.parametrize(
    ("damage", "failing"),
    [
        ("update analytics_next.fct_runs__changes set execution_key = null", "not_null_fct_runs_execution_key"),
        ("update analytics_next.fct_runs__changes set status = 'lost'", "accepted_values_fct_runs_status"),
        ("update analytics_next.experiment_summary__changes set total_runs = 7", "holds_experiment_summary_total_runs"),
        (
            "insert into analytics_next.experiment_summary__changes table analytics_next.experiment_summary__changes",
            "unique_experiment_summary_experiment_id",
        ),
        # By a column that does not name the group: a recomputed row may be like one that was left alone.
        (
            "update analytics_next.fct_runs__changes set execution_key = (select min(execution_key) from analytics.fct_runs)",
            "unique_fct_runs_execution_key",
        ),
        # Rows that were left alone are as they were when their tests passed.
        ("update analytics.fct_runs set status = 'lost' where execution_id = '1'", None),
        ("update analytics.fct_runs set started_on = '1900-01-01' where execution_id = '1'", None),
        ("update analytics_next.fct_runs__changes set started_on = '1900-01-01'", "relationships_fct_runs_started_on"),
        # A day that was recomputed and is no longer there, of rows that were left alone.
        (
            "update analytics_next.fct_runs__changes set started_on = null;"
            "delete from analytics_next.dim_date__changes where year_number = 2025",
            "relationships_fct_runs_started_on",
        ),
        # Rows of all groups are counted.
        ("delete from analytics_next.fct_runs__changes", "has_all_executions_fct_runs"),
        ("delete from analytics.fct_runs where execution_id = '1'", "has_all_executions_fct_runs"),
    ],
)
def test_recomputed_rows_are_tested(one_recomputed: House, damage: str, failing: str | None) -> None:
    one_recomputed.reset()
    one_recomputed.warehouse(damage)
    with one_recomputed.under_way():
        result = one_recomputed.dbt("build", "--resource-type", "test", "--select", "fct_runs", "experiment_summary")
    assert result.success == (failing is None), messages(result)
    assert (failing or "") in messages(result)


@pytest.mark.parametrize(
    ("damage", "failing"),
    [
        ("insert into analytics_next.experiment_summary__changes table analytics_next.experiment_summary__changes", True),
        ("insert into analytics.experiment_summary table analytics.experiment_summary", False),
        (f"{LIKE_PUBLISHED} where experiment_id = 2", True),
        (f"{LIKE_PUBLISHED} where experiment_id = 1", False),
    ],
)
def test_views_and_histories_are_tested_in_recomputed_groups(one_recomputed: House, damage: str, failing: bool) -> None:
    """Experiment 2 was recomputed; what is published of 1 was tested before."""
    one_recomputed.reset()
    shown = ("mv_experiment_summary", "experiment_summary_history")
    one_recomputed.warehouse(damage)
    with one_recomputed.under_way():
        result = one_recomputed.dbt("build", "--resource-type", "test", "--select", *shown)
    assert result.success != failing, messages(result)
    assert any(f"unique_{each}" in messages(result) or f"grain_{each}" in messages(result) for each in shown) == failing
    assert not one_recomputed.dbt("test", "--select", *shown).success


def test_all_rows_are_tested_when_tests_run_by_themselves(one_recomputed: House) -> None:
    one_recomputed.reset()
    one_recomputed.warehouse("update analytics.fct_runs set status = 'lost' where execution_id = '1'")
    assert not one_recomputed.dbt("test", "--select", "fct_runs").success


def test_relations_are_used_again(house: House) -> None:
    """One that somebody has dropped is made again, and what is built on it, without a full refresh."""
    oids = (
        "select string_agg(oid::text || ' ' || relname, ',' order by relname) from pg_class where relkind in ('r', 'v')"
        " and relnamespace in ('staging'::regnamespace, 'analytics_next'::regnamespace)"
    )
    house.fill({"experiments": EXPERIMENTS, "runs": RUNS})
    refresh(house)
    before = house.warehouse(oids)
    house.source("update runs set status = 'killed' where run_id = 1")
    house.sync()
    refresh(house)
    assert house.warehouse(oids) == before
    house.warehouse(f"drop view analytics_next.{RUNS_FAMILY}__of__runs cascade")
    house.source("update runs set status = 'failed' where run_id = 1")
    house.sync()
    refresh(house)
    assert house.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)]
    assert house.warehouse("select status from analytics.fct_runs where execution_id = '1'") == [("failed",)]


def test_relation_that_was_large_gives_its_space_back(house: House) -> None:
    """Small ones are emptied row by row, which leaves their files as they are."""
    house.fill({"experiments": EXPERIMENTS, "runs": RUNS})
    refresh(house)
    touched = f"analytics_next.{RUNS_FAMILY}__keys"
    house.warehouse(f"insert into {touched} select key, 1 from generate_series(1, 100000) as key; analyze {touched}")
    house.source("update runs set status = 'killed' where run_id = 1")
    house.sync()
    refresh(house)
    assert house.warehouse(f"select run_id, pg_relation_size('{touched}') <= 8192 from {touched}") == [(1, True)]


def test_refresh_goes_on_from_one_that_has_built_no_row(house: House) -> None:
    house.fill({"experiments": EXPERIMENTS, "runs": RUNS})
    refresh(house)
    built_rows = "relkind = 'r' and relnamespace in ('staging'::regnamespace, 'analytics_next'::regnamespace)"
    for (name,) in house.warehouse(f"select oid::regclass::text from pg_class where {built_rows}"):
        house.warehouse(f"delete from {name}")
    house.source("update runs set status = 'killed' where run_id = 1")
    house.sync()
    refresh(house)
    assert house.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)]
    assert house.warehouse("select status from analytics.fct_runs order by execution_id") == [("cancelled",), ("succeeded",)]
