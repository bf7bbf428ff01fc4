"""Forecasts that a team has made day by day: models of one experiment, each with forecasts of every series from every cutoff.

Belongs here: rows, the same at every run, for any number of cutoffs, and the actual values that come in later. Does not belong here: what
reads them.
"""

from benchmarks.servers import execute

MODELS = 5
SERIES = 10
HORIZONS = 7

_START = "timestamp '2010-01-01'"
_UNCHECKED = "set session_replication_role = replica"


def create(url: str, cutoffs: int) -> int:
    """Fill the migrated, empty source database with that many daily cutoffs; actual values are known up to the last one.

    Returns:
        The number of predictions.
    """
    execute(
        url,
        f"""
        {_UNCHECKED};
        insert into experiments (experiment_id, experiment_name, created_at) values (1, 'daily', {_START});
        insert into runs (run_id, run_uuid, experiment_id, run_name, run_fingerprint, status, start_time, end_time)
        select number, md5(number::text)::uuid, 1, 'run ' || number, md5(number::text), 'completed', {_START}, {_START}
        from generate_series(1, {MODELS}) as number;
        insert into models (model_id, model_uuid, run_id, model_name, model_type, framework, model_config, model_file_path, status)
        select number, md5(number::text)::uuid, number, 'model ' || number,
            (array['SeasonalNaive', 'AutoETS', 'AutoARIMA', 'Theta', 'AutoReg'])[1 + (number - 1) % 5], 'statsmodels', '{{}}',
            '/models/' || number, 'evaluated'
        from generate_series(1, {MODELS}) as number;
        insert into predictions (
            run_id, model_id, prediction_date, unique_id, horizon, predicted_value, actual_value, lower_bound, upper_bound,
            confidence_level, metadata
        )
        select model, model, at, 'series ' || series, horizon, actual + noise, case when cutoff + horizon <= {cutoffs} then actual end,
            actual + noise - 3, actual + noise + 3, 0.9,
            jsonb_build_object('cutoff', {_START} + cutoff * interval '1 day', 'scale_mae', 2.5, 'scale_mse', 9.5)
        from generate_series(1, {cutoffs}) as cutoff
        cross join generate_series(1, {MODELS}) as model
        cross join generate_series(1, {SERIES}) as series
        cross join generate_series(1, {HORIZONS}) as horizon
        cross join lateral (select {_START} + (cutoff + horizon) * interval '1 day' as at) as target
        cross join lateral (
            select 100 + 10 * sin((cutoff + horizon) * series) as actual, 5 * cos(cutoff * horizon * model + series) as noise
        ) as drawn;
        """,
    )
    execute(url, "vacuum (analyze) predictions, models, runs, experiments")
    return cutoffs * MODELS * SERIES * HORIZONS


def reveal(url: str, day: int) -> None:
    """The actual values of one day come in, for all models and series.

    Args:
        url: Of the source.
        day: The number of the day; the first cutoff is day 1.
    """
    execute(
        url,
        f"update predictions set actual_value = 100 + 10 * sin({day} * substring(unique_id from 8)::integer)"
        f" where prediction_date = {_START} + {day} * interval '1 day'",
    )
