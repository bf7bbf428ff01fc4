"""A forecast tracking database as teams fill it over the years: experiments of many runs, each with a model and its metrics.

Belongs here: rows, the same at every run, at any size, and changes to them. Does not belong here: what reads them.
"""

from enum import StrEnum

from benchmarks.servers import execute

SYSTEM = "forecast_tracking"
METRICS_PER_RUN = 1000
RUNS_PER_EXPERIMENT = 20

# Ten metrics, three splits: a fifth of the rows are among those that have columns of their own in the summary marts.
_METRIC = "(array['mae', 'rmse', 'smape', 'mape', 'mase', 'wape', 'loss', 'r2', 'bias', 'mse'])[1 + number % 10]"
_SPLIT = "(array['train', 'validation', 'test'])[1 + number / 10 % 3]"

_START = "timestamp '2024-01-01'"

_UNCHECKED = "set session_replication_role = replica"


class Spread(StrEnum):
    """Where changes fall: in the newest runs, as new work and its corrections do, or anywhere in history."""

    RECENT = "recent"
    SCATTERED = "scattered"


def create(url: str, metrics: int) -> None:
    """Fill the migrated, empty source database with that many metrics and what they belong to."""
    runs = metrics // METRICS_PER_RUN
    execute(
        url,
        f"""
        {_UNCHECKED};
        insert into experiments (experiment_id, experiment_name, created_at)
        select number, 'experiment ' || number, {_START} from generate_series(1, {_experiment(runs)}) as number;
        """,
    )
    _insert_runs(url, 1, runs)
    execute(url, "vacuum (analyze) runs, models, metrics, experiments")
    execute(url, "refresh materialized view mv_experiment_summary; refresh materialized view mv_model_performance")


def change(url: str, changes: int, spread: Spread, seed: int) -> None:
    """Change metrics: 60% inserts, 30% updates in place, 10% deletes. Recent inserts come as whole new runs with their models."""
    ((last_run,),) = execute(url, "select max(run_id) from runs")
    inserts = changes * 6 // 10
    others = changes - inserts
    if spread is Spread.RECENT:
        _insert_runs(url, last_run + 1, last_run + max(1, inserts // METRICS_PER_RUN))
        chosen = (
            f"select metric_id from metrics where run_id > {last_run} - {max(1, others // METRICS_PER_RUN)} - 1 and run_id <= {last_run}"
        )
    else:
        _insert_metrics(url, f"generate_series(1, {inserts}) as number", f"1 + abs(hashint8extended(number, {seed})) % {last_run}")
        chosen = "select metric_id from metrics"
    execute(
        url,
        f"""
        {_UNCHECKED};
        set work_mem = '256MB';
        create temporary table chosen as
        select metric_id, row_number() over () <= {changes // 10} as is_deleted
        from (select metric_id from ({chosen}) as candidates order by hashint8extended(metric_id, {seed}) limit {others});
        analyze chosen;
        delete from metrics using chosen where metrics.metric_id = chosen.metric_id and is_deleted;
        update metrics set metric_value = metric_value / 2 from chosen where metrics.metric_id = chosen.metric_id and not is_deleted;
        """,
    )
    execute(url, "analyze metrics")


def _experiment(run: int) -> int:
    return 1 + (run - 1) // RUNS_PER_EXPERIMENT


def _insert_runs(url: str, first: int, last: int) -> None:
    """Runs with one model and its metrics each; an experiment is created with its first run."""
    execute(
        url,
        f"""
        {_UNCHECKED};
        insert into experiments (experiment_id, experiment_name, created_at)
        select number, 'experiment ' || number, {_START}
        from generate_series({_experiment(first)}, {_experiment(last)}) as number
        on conflict do nothing;
        insert into runs (
            run_id, run_uuid, experiment_id, run_name, run_fingerprint, status, start_time, end_time, execution_duration_seconds
        )
        select number, md5(number::text)::uuid, 1 + (number - 1) / {RUNS_PER_EXPERIMENT}, 'run ' || number, md5(number::text),
            case when number % 20 = 0 then 'failed' else 'completed' end, {_START} + number * interval '10 minutes',
            {_START} + number * interval '11 minutes', 600 + number % 60
        from generate_series({first}, {last}) as number;
        insert into models (model_id, model_uuid, run_id, model_name, model_type, framework, model_config, model_file_path, status)
        select number, md5(number::text)::uuid, number, 'model ' || number, 'AutoETS', 'statsmodels', '{{}}', '/models/' || number,
            'evaluated'
        from generate_series({first}, {last}) as number;
        """,
    )
    numbers = f"generate_series({(first - 1) * METRICS_PER_RUN}, {last * METRICS_PER_RUN - 1}) as number"
    _insert_metrics(url, numbers, f"1 + number / {METRICS_PER_RUN}")


def _insert_metrics(url: str, numbers: str, run: str) -> None:
    execute(
        url,
        f"""
        {_UNCHECKED};
        insert into metrics (run_id, model_id, metric_name, metric_value, metric_step, dataset_type, timestamp)
        select {run}, {run}, {_METRIC}, abs(sin(number)), number % {METRICS_PER_RUN} / 30, {_SPLIT},
            {_START} + number * interval '0.6 seconds'
        from {numbers}
        """,
    )
