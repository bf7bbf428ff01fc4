"""What a run or an experiment that is marked as deleted does to each mart: one rule per mart, as its description says.

The source is the oracle, before and after the run of the best model, and then its experiment, are marked, and after both are in use again.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from dagster_project.marts.explanation import explainable_marts
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import differences_from_rebuild, refresh

START = datetime(2025, 1, 1, tzinfo=UTC)

# By run: its experiment, its one model, and the test mae of that; the model of run 1, a baseline, is the best of experiment 1.
RUNS = {
    1: (1, "SeasonalNaive", 1.0),
    2: (1, "SeasonalNaive", 3.0),
    3: (1, "AutoETS", 2.0),
    4: (2, "AutoETS", 5.0),
}

_OWN = "models join runs using (run_id) join experiments using (experiment_id)"
_IS_DELETED = "(runs.deleted_at is not null or experiments.deleted_at is not null)"

# Errors of models in use, at their points.
_MADE = f"""
    with made as (
        select experiment_id, model_id, model_type, unique_id, prediction_date, abs(predicted_value - actual_value) as error
        from predictions join models using (model_id) join runs on models.run_id = runs.run_id join experiments using (experiment_id)
        where not {_IS_DELETED}
    ), points as (
        select distinct experiment_id, unique_id, prediction_date from made
    ), expected as (
        select model.model_id, made.error, baseline.error as baseline_error
        from (select distinct experiment_id, model_id from made) as model
        join points using (experiment_id)
        left join made using (model_id, unique_id, prediction_date)
        left join lateral (
            select error from made as other
            where model_type = 'SeasonalNaive' and (other.experiment_id, other.unique_id, other.prediction_date)
                = (points.experiment_id, points.unique_id, points.prediction_date)
            order by model_id limit 1
        ) as baseline on true
    )
"""

# By mart: what the source says, and what the mart says.
SAYS = {
    "experiment_summary": (
        f"""
        select
            e.experiment_id, e.deleted_at is not null, (select count(*) from runs where experiment_id = e.experiment_id),
            (select count(*) from runs where experiment_id = e.experiment_id and deleted_at is not null),
            (select count(*) from models join runs using (run_id) where experiment_id = e.experiment_id),
            (select min(metric_value) from metrics join runs using (run_id) where experiment_id = e.experiment_id),
            (select count(*) from metrics join runs using (run_id) where experiment_id = e.experiment_id),
            best.model_id, best.mae, best.is_deleted
        from experiments as e
        cross join lateral (
            select models.model_id, avg(metric_value) as mae, {_IS_DELETED} as is_deleted
            from metrics join {_OWN} on metrics.model_id = models.model_id
            where experiment_id = e.experiment_id
            group by models.model_id, runs.deleted_at, experiments.deleted_at order by 2 limit 1
        ) as best
        """,
        """
        select experiment_id, is_deleted, total_runs, deleted_runs, total_models, test_mae_best, test_mae_count,
            best_model_id, best_model_mae, best_model_is_deleted
        """,
    ),
    "mv_experiment_summary": (
        "select e.experiment_id, count(run_id) from experiments as e join runs using (experiment_id) where e.deleted_at is null group by 1",
        "select experiment_id, total_runs",
    ),
    "model_performance": (f"select model_id, {_IS_DELETED} from {_OWN}", "select model_id, is_deleted"),
    "mv_model_performance": ("select model_id from models where status = 'evaluated'", "select model_id"),
    "fct_runs": ("select run_id::text, deleted_at is not null from runs", "select execution_id, is_deleted"),
    "metric_summary": ("select run_id, count(*) from metrics group by 1", "select run_id, sample_count"),
    "registry_timeline": ("select registry_id from model_registry", "select registry_id"),
    "model_leaderboard": (
        f"{_MADE} select model_id, count(*) filter (where error is not null) from expected group by 1",
        "select model_id, evaluated_points",
    ),
    "forecast_accuracy": (
        f"""
        {_MADE} select model_id, count(*), count(error), avg(error), sum(error) filter (where baseline_error is not null)
            / sum(baseline_error) filter (where error is not null)
        from expected group by 1
        """,
        "select model_id, expected_points, evaluated_points, mae, relative_mae",
    ),
    "forecast_interval_accuracy": (f"{_MADE} select model_id, count(*) from made group by 1", "select model_id, expected_points"),
}


def source_rows() -> dict[str, list[dict[str, Any]]]:
    """The experiments; the best model forecasts a day more than the others."""
    times = {"created_at": START, "updated_at": START}
    return {
        "experiments": [{"experiment_id": number, "experiment_name": f"e{number}", **times} for number in (1, 2)],
        "runs": [
            {"run_id": run, "experiment_id": experiment, "run_name": "r", "run_fingerprint": f"{run:064x}", "start_time": START, **times}
            for run, (experiment, _, _) in RUNS.items()
        ],
        "models": [
            {
                "model_id": 10 * run,
                "run_id": run,
                "model_name": "m",
                "model_type": kind,
                "framework": "statsmodels",
                "model_config": {},
                "model_file_path": "/dev/null",
                "status": "evaluated",
                **times,
            }
            for run, (_, kind, _) in RUNS.items()
        ],
        "model_registry": [
            {"registry_id": run, "model_id": 10 * run, "registered_model_name": f"n{run}", "model_version": 1, **times} for run in RUNS
        ],
        "metrics": [
            {
                "metric_id": run,
                "run_id": run,
                "model_id": 10 * run,
                "metric_name": "mae",
                "metric_value": mae,
                "dataset_type": "test",
                "timestamp": START,
            }
            for run, (_, _, mae) in RUNS.items()
        ],
        "predictions": [
            {
                "prediction_id": 10 * run + day,
                "run_id": run,
                "model_id": 10 * run,
                "unique_id": "u",
                "horizon": day,
                "prediction_date": START.replace(day=day),
                "predicted_value": mae,
                "actual_value": 0.0,
                "metadata": {},
                "lower_bound": -1.0,
                "upper_bound": 1.0,
                "confidence_level": 0.9,
                "created_at": START,
            }
            for run, (_, _, mae) in RUNS.items()
            for day in range(1, 4 if run == 1 else 3)
        ],
    }


def steps(house: House) -> Iterator[str]:
    """What happens at the source, one after the other."""
    yield "all are in use"
    house.source("update runs set deleted_at = now() where run_id = 1")
    yield "the run of the best model is marked as deleted"
    house.source("update experiments set deleted_at = now() where experiment_id = 1")
    yield "so is its experiment"
    house.source("update runs set deleted_at = null; update experiments set deleted_at = null")
    yield "both are in use again"


def test_every_mart_keeps_its_rule(house: House) -> None:
    assert {*SAYS} == {mart for mart in explainable_marts(house.plan) if house.is_made_of_these(mart)}
    house.fill(source_rows())
    for step in steps(house):
        house.sync()
        refresh(house)
        for mart, (source, shown) in SAYS.items():
            is_model = " where rollup_level = 'model'" if mart.startswith("forecast_") else ""
            found = house.warehouse(f"{shown} from analytics.{mart}{is_model} order by 1")
            assert found == sorted(house.source(source)), (step, mart)
    assert differences_from_rebuild(house) == {}
