"""Row lineage: the rows behind a row of a mart make it again, bit for bit, and whatever does not fit is said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dagster_project.commands import explaining
from dagster_project.commands.explaining import explanation_of
from dagster_project.marts.explanation import Explanation, explainable_marts
from dagster_project.marts.lineage import Project
from dagster_project.marts.plan import Plan, make_plan
from dagster_project.marts.postgres.candidates import OF_THE_REFRESH
from dagster_project.marts.recomputation import ExplanationError
from dagster_project.resources.databases import Databases
from dagster_project.resources.share import namespaces, share_of
from dagster_project.settings import Settings
from tests.histories.history import together
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import refresh

MARTS = {name: plan.project.models[name] for plan in (share_of(each).plan for each in namespaces()) for name in explainable_marts(plan)}
HISTORIES = 6
ROWS_PER_MART = 5
START = datetime(2025, 1, 1, tzinfo=UTC)


def explain(
    house: House, mart: str, column: str | None = None, number: int = 10**6, plan: Plan | None = None, /, **key: object
) -> Explanation:
    """The explanation of a row, with the keys of so many rows of each table; by the plan of the house, or another one."""
    entries = [f"{name}={'' if value is None else value}" for name, value in key.items()]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(explaining, "share_of", lambda _: SimpleNamespace(plan=plan or house.plan))
        return explanation_of(Databases(Settings(Path("/nowhere"), house.warehouse_url)), mart, entries, column, number)


def keys_of(house: House, mart: str, column: str | None = None) -> list[dict[str, Any]]:
    """The keys of all published rows in any order, those first in which a column says something."""
    grain = MARTS[mart].grain
    says_nothing = f"coalesce({column}::text in ('0', 'false'), true), " if column else ""
    rows = house.warehouse(f"select {', '.join(grain)} from analytics.{mart} order by {says_nothing} random()")
    return [dict(zip(grain, row, strict=True)) for row in rows]


def values_of(mart: str) -> list[str]:
    return [column for column in MARTS[mart].columns if column not in OF_THE_REFRESH]


def declaring_nothing(plan: Plan) -> Plan:
    """The plan of a project that does not say which rows bear on which columns."""
    models = {name: replace(model, bears_on={}) for name, model in plan.project.models.items()}
    return make_plan(Project(models), plan.contracts)


def is_proven(explanation: Explanation) -> bool:
    return explanation.differing == () and not explanation.has_moved_on


def keys_behind(explanation: Explanation, table: str) -> list[int]:
    """First key columns of the rows of a table, in order."""
    return [int(row.key[0]) for source in explanation.sources if source.table == f"forecast_tracking.{table}" for row in source.rows]


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_rows_behind_make_the_row_again(each_house: House, seed: int) -> None:
    """After incremental refreshes every column by itself and rows as a whole; after a full one rows as a whole."""
    house, plan = each_house, each_house.plan
    known = [mart for mart in MARTS if mart in plan.project.models]
    marts = [mart for mart in known if house.system in {family.group.system for family in plan.families_behind(mart)}]
    histories = [house.history(number, seed + number) for number in range(1, HISTORIES + 1)]
    house.fill(together(histories))
    refresh(house)
    for _ in range(2):
        for history in histories:
            history.step()
        house.fill(together(histories))
        refresh(house)
    unproven = []
    for mart in marts:
        asked: list[tuple[dict[str, Any], str | None]] = [(key, None) for key in keys_of(house, mart)[:ROWS_PER_MART]]
        asked += [(keys_of(house, mart, column)[0], column) for column in values_of(mart)]
        unproven += [(mart, key, column) for key, column in asked if not is_proven(explain(house, mart, column, **key))]
    refresh(house, "--full-refresh")
    explained = [(mart, key, explain(house, mart, **key)) for mart in marts for key in keys_of(house, mart)[:ROWS_PER_MART]]
    unproven += [(mart, key, None) for mart, key, explanation in explained if not is_proven(explanation)]
    # What a mart says of its columns leaves rows out of the list, and is not what makes the proof.
    all_rows = declaring_nothing(house.plan)
    for mart, key, explanation in explained:
        derived = explain(house, mart, None, 10**6, all_rows, **key)
        unproven += [] if is_proven(derived) else [(mart, key, "of all rows")]
        assert rows_of(explanation) <= rows_of(derived), (mart, key)
    assert unproven == []


def rows_of(explanation: Explanation) -> set[tuple[str, tuple[str, ...]]]:
    """The rows behind, each by its table and its key."""
    return {(source.table, row.key) for source in explanation.sources for row in source.rows}


def prediction(number: int, model_id: int, **values: object) -> dict[str, Any]:
    return {
        "prediction_id": number,
        "run_id": 1,
        "model_id": model_id,
        "unique_id": "u",
        "horizon": 1,
        "prediction_date": START,
        "predicted_value": 2.0 * number,
        "actual_value": 3.5,
        "lower_bound": 1.0,
        "upper_bound": 4.0,
        "confidence_level": 0.9,
        "metadata": {},
        "created_at": START,
        **values,
    }


def rows(**more: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """One experiment of two runs; models 1 and 2 of the first run, 3 of the second."""
    times = {"created_at": START, "updated_at": START}
    return {
        "experiments": [{"experiment_id": 1, "experiment_name": "e", **times}],
        "runs": [
            {
                "run_id": n,
                "run_uuid": str(UUID(int=n)),
                "experiment_id": 1,
                "run_name": "r",
                "run_fingerprint": f"{n:064x}",
                "status": status,
                "start_time": START,
                **times,
            }
            for n, status in ((1, "completed"), (2, "running"))
        ],
        "models": [
            {
                "model_id": n,
                "model_uuid": str(UUID(int=n)),
                "run_id": run_id,
                "model_name": "m",
                "model_type": kind,
                "framework": "statsmodels",
                "model_config": {},
                "model_file_path": "/dev/null",
                "status": "evaluated",
                **times,
            }
            for n, run_id, kind in ((1, 1, "AutoETS"), (2, 1, "SeasonalNaive"), (3, 2, "SeasonalNaive"))
        ],
        **more,
    }


def metric(number: int, **values: object) -> dict[str, Any]:
    common = {"metric_name": "mae", "dataset_type": "test", "metric_value": number / 7, "timestamp": START}
    return {"metric_id": number, "run_id": 1, "model_id": 1, **common, **values}


def metrics() -> list[dict[str, Any]]:
    odd = [metric(11, metric_name="MAE"), metric(12, metric_name="rmse"), metric(13, dataset_type="validation"), metric(14, model_id=2)]
    return [*(metric(number) for number in range(1, 11)), *odd, metric(15, model_id=None), metric(16, run_id=2)]


@pytest.fixture(scope="module")
def published_once(house: House) -> House:
    """A house that keeps a warehouse in which these rows are published."""
    house.fill(rows(metrics=metrics()))
    refresh(house)
    house.keep()
    return house


@pytest.fixture
def published(published_once: House) -> House:
    """A house that has published these rows, and whose source has them."""
    published_once.reset()
    published_once.fill(rows(metrics=metrics()))
    return published_once


def test_odd_forecasts_are_found(house: House) -> None:
    """Cutoffs in every form, none at all or of no calendar, points that a model missed: every row of both marts."""
    times = ("2025-01-01", "2025-01-01T00:00:00Z", "2025-01-01 02:00:00+02:00", "2025-01-02T00:00:00")
    cutoffs = (*times, "soon", None, "2025-02-30", "2025-01-01T25:00")
    forms = [prediction(n, 1, metadata={} if cutoff is None else {"cutoff": cutoff}) for n, cutoff in enumerate(cutoffs, start=1)]
    others = [
        prediction(11, 2, metadata={"cutoff": "2025-01-01"}, lower_bound=None),
        prediction(12, 3, unique_id="v", horizon=2, confidence_level=0.8),
        prediction(13, 3, unique_id="w", actual_value=None),
        prediction(14, 1, unique_id="v", horizon=2, actual_value=None),
    ]
    house.fill(rows(predictions=[*forms, *others]))
    refresh(house)
    unproven = []
    for mart in ("forecast_accuracy", "forecast_interval_accuracy", "model_leaderboard"):
        for key in keys_of(house, mart):
            columns = (None, "mae", "expected_points", "relative_rmse", "confidence_level", "interval_points", "duplicate_rows", "skill")
            known = [column for column in columns if column is None or column in MARTS[mart].columns]
            unproven += [(mart, key, column) for column in known if not is_proven(explain(house, mart, column, **key))]
    assert unproven == []
    point = {"model_id": 1, "rollup_level": "point", "unique_id": "u", "horizon": 1}
    assert keys_behind(explain(house, "forecast_accuracy", "mae", cutoff_at="2025-01-01", **point), "predictions") == [1, 2, 3]
    assert keys_behind(explain(house, "forecast_accuracy", "mae", cutoff_at="2025-01-02", **point), "predictions") == [4]
    assert keys_behind(explain(house, "forecast_accuracy", "mae", cutoff_at=None, **point), "predictions") == [5, 6, 7, 8]
    assert keys_behind(explain(house, "forecast_accuracy", "expected_points", cutoff_at="2025-01-01", **point), "predictions") == [
        1,
        2,
        3,
        11,
    ]


@pytest.mark.parametrize(
    ("mart", "key", "column", "table", "query"),
    [
        (
            "model_performance",
            {"model_id": 1},
            "test_mae_mean",
            "metrics",
            "select metric_id from metrics where model_id = 1 and metric_name = 'mae' and dataset_type = 'test'",
        ),
        (
            "model_performance",
            {"model_id": 1},
            None,
            "metrics",
            "select metric_id from metrics where model_id = 1 and metric_name <> 'MAE'",
        ),
        (
            "mv_model_performance",
            {"model_id": 1},
            "validation_mae",
            "metrics",
            "select metric_id from metrics where model_id = 1 and dataset_type = 'validation'",
        ),
        (
            "experiment_summary",
            {"experiment_id": 1},
            "test_rmse_count",
            "metrics",
            "select metric_id from metrics join runs using (run_id) where metric_name = 'rmse' and dataset_type = 'test'",
        ),
        ("experiment_summary", {"experiment_id": 1}, "total_runs", "runs", "select run_id from runs where experiment_id = 1"),
        (
            "metric_summary",
            {"run_id": 1, "model_id": None, "metric_name": "mae", "split": "test"},
            None,
            "metrics",
            "select metric_id from metrics where model_id is null",
        ),
        ("fct_runs", {"execution_key": "forecast_tracking:2"}, "status", "runs", "select 2"),
    ],
)
def test_rows_behind_are_those_of_the_source(
    published: House, mart: str, key: dict[str, Any], column: str | None, table: str, query: str
) -> None:
    explanation = explain(published, mart, column, **key)
    assert is_proven(explanation)
    assert keys_behind(explanation, table) == [row[0] for row in published.source(f"{query} order by 1")]


def test_rows_are_described_as_they_stand_in_raw(published: House) -> None:
    explanation = explain(published, "analytics.model_performance", "test_mae", 3, model_id=1)
    behind = explanation.sources[-1]
    expected = published.warehouse(
        "select metric_id::text, _batch_id, _synced_at from raw_forecast_tracking.metrics"
        " where model_id = 1 and metric_name = 'mae' and dataset_type = 'test' and _deleted_at is null order by metrics.metric_id"
    )
    assert (behind.table, behind.key, behind.count) == ("forecast_tracking.metrics", ("metric_id",), len(expected))
    assert [(row.key[0], row.batch_id, row.synced_at) for row in behind.rows] == expected[:3]
    assert behind.batch_ids == (min(row[1] for row in expected), max(row[1] for row in expected))
    assert behind.synced_at == (min(row[2] for row in expected), max(row[2] for row in expected))
    assert explanation.rows_behind == len(expected) + 1
    assert float(explanation.row["test_mae"] or 0) == 16 / 7
    assert explanation.model == "dbt_project/models/marts/forecast_tracking/model_performance.sql"
    assert "{refresh_started_at}" not in explanation.sql
    # That of a full refresh, though an incremental one has published the row.
    assert '"staging"."stg_forecast_tracking__models"' in explanation.sql
    assert "analytics_next" not in explanation.sql
    assert explanation.models_read[-1] == "dbt_project/models/intermediate/forecast_tracking/int_metrics_classified.sql"


def test_newer_rows_are_not_taken_for_what_is_published(published: House) -> None:
    def seen(column: str) -> tuple[int, bool]:
        explanation = explain(published, "model_performance", column, model_id=1)
        return sum(source.later for source in explanation.sources), explanation.has_moved_on

    assert seen("test_mae_mean") == (0, False)
    # One more of another metric: it is behind the whole row and not behind this column.
    published.fill(rows(metrics=[*metrics(), metric(20, metric_name="smape")]))
    assert seen("test_mae_mean") == (0, False)
    assert seen("test_smape_count") == (1, True)
    # One that has gone stands behind nothing any more.
    published.fill(rows(metrics=metrics()[1:]))
    assert seen("test_mae_mean") == (0, True)
    refresh(published)
    assert seen("test_mae_mean") == (0, False)


def test_wrong_value_is_found(published: House) -> None:
    published.warehouse("update analytics.model_performance set test_mae_mean = test_mae_mean + 1e-15 where model_id = 1")
    assert explain(published, "model_performance", model_id=1).differing == ("test_mae_mean",)
    assert not explain(published, "model_performance", model_id=1).has_moved_on
    assert is_proven(explain(published, "model_performance", "test_mae", model_id=1))
    published.warehouse("update analytics.model_performance set model_id = 99 where model_id = 1")
    gone = explain(published, "model_performance", model_id=99)
    assert (gone.recomputed, gone.differing) == (None, ("model_id",))


def test_other_definition_is_found(published: House) -> None:
    """What proves a value is the kept SQL, through every model between raw and mart."""
    for name, old, new in (
        ("model_performance", "avg(usable_value", "max(usable_value"),
        ("int_metrics_classified", "metric_value + 0", "metric_value + 1"),
        ("stg_forecast_tracking__metrics", "metric_value,", "metric_value * 2 as metric_value,"),
    ):
        kept = published.warehouse("select sql from ops.built_models where name = %s", name)[0][0]
        assert old in kept
        published.warehouse("update ops.built_models set sql = replace(sql, %s, %s) where name = %s", old, new, name)
        differing = explain(published, "model_performance", "test_mae_mean", model_id=1).differing
        published.warehouse("update ops.built_models set sql = %s where name = %s", kept, name)
        assert differing == ("test_mae_mean",), name


def test_time_is_that_of_the_refresh(published: House) -> None:
    """A run that says running has not become a zombie while nobody refreshed."""
    recent = rows()
    recent["runs"][1]["start_time"] = datetime.now(UTC) - timedelta(hours=1)
    published.fill(recent)
    refresh(published)
    key = {"execution_key": "forecast_tracking:2"}
    assert explain(published, "fct_runs", **key).row["is_zombie"] == "false"
    assert is_proven(explain(published, "fct_runs", **key))
    last = "where refresh_id = (select max(refresh_id) from ops.refreshes)"
    published.warehouse(f"update ops.refreshes set started_at = started_at + interval '2 days' {last}")
    assert explain(published, "fct_runs", **key).differing == ("is_zombie",)
    assert explain(published, "experiment_summary", "zombie_runs", experiment_id=1).differing == ("zombie_runs",)


def test_nothing_is_left_behind(published: House) -> None:
    count = "select count(*) from pg_class where relpersistence = 't'"
    before = published.warehouse(count)
    explain(published, "experiment_summary", experiment_id=1)
    assert published.warehouse(count) == before


@pytest.mark.parametrize(
    ("mart", "key", "column", "message"),
    [
        ("sales", {}, None, "there is no mart 'sales'; marts whose rows can be explained: .*experiment_summary, .*fct_runs, "),
        ("dim_date", {}, None, "analytics.dim_date is not made of rows of a source; marts"),
        ("refreshes", {}, None, "analytics.refreshes is not made of rows of a source; marts"),
        (
            "model_performance_history",
            {},
            None,
            "analytics.model_performance_history keeps .*; explain analytics.model_performance instead",
        ),
        ("fct_runs", {"run": 1}, None, "analytics.fct_runs has no column 'run'; a row is identified by: execution_key"),
        ("model_performance", {"model_id": 1}, "test_maee", "has no column 'test_maee'; did you mean test_mae "),
        ("model_performance", {"model_id": 1}, "source_batch_id", "source_batch_id names the refresh that last changed the row"),
        ("model_performance", {"model_id": 9}, None, "analytics.model_performance has no rows with model_id = 9; .*: --key model_id=…"),
        ("model_performance", {"run_id": 1}, None, "analytics.model_performance has 2 rows with run_id = 1; .*: --key model_id=…"),
        ("model_performance", {"model_id": "x"}, None, 'can have no row with model_id = x: invalid input syntax for type bigint: "x"'),
        (
            "metric_summary",
            {"run_id": 1, "split": None},
            None,
            "no rows with run_id = 1 and split = null; .*run_id=… --key model_id=… --key",
        ),
    ],
)
def test_what_cannot_be_explained_is_said(published: House, mart: str, key: dict[str, object], column: str | None, message: str) -> None:
    with pytest.raises(ExplanationError, match=message):
        explain(published, mart, column, **key)


def test_sql_of_another_project_is_not_taken_for_that_of_the_published(published: House) -> None:
    published.warehouse("update ops.built_models set definition = 'other' where name = 'int_metrics_classified'")
    with pytest.raises(ExplanationError, match=r"the project has changed since analytics.model_performance was published by refresh"):
        explain(published, "model_performance", model_id=1)
    published.warehouse("delete from ops.built_models")
    with pytest.raises(ExplanationError, match=r"no SQL is kept of analytics_next.model_performance; run `runmart refresh --full`"):
        explain(published, "model_performance", model_id=1)
    refresh(published, "--full-refresh")
    assert is_proven(explain(published, "model_performance", model_id=1))


def test_candidates_that_were_dropped_are_built_in_full(published: House) -> None:
    """What an incremental refresh would build of them makes only what was touched."""
    published.warehouse("drop schema analytics_next cascade")
    refresh(published)
    assert published.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(True,)]
    assert is_proven(explain(published, "model_performance", model_id=1))
