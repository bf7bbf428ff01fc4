-- Experiments whose forecasts may have other errors, or other names: they have changed themselves, or in their runs, models, registry
-- entries or predictions.
with changed_experiments as (

    {{ changed_rows('forecast_tracking', 'experiments') }}

),

changed_runs as (

    {{ changed_rows('forecast_tracking', 'runs') }}

),

changed_models as (

    {{ changed_rows('forecast_tracking', 'models') }}

),

changed_entries as (

    {{ changed_rows('forecast_tracking', 'model_registry') }}

),

changed_predictions as (

    {{ changed_rows('forecast_tracking', 'predictions') }}

),

runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

models as (

    select * from {{ ref('stg_forecast_tracking__models') }}

),

touched_models as (

    select
        model_id,
        _batch_id as batch_id
    from changed_entries

    union all

    {{ parents_left('changed_entries', 'model_id') }}

    union all

    select
        model_id,
        _batch_id as batch_id
    from changed_predictions

    union all

    {{ parents_left('changed_predictions', 'model_id') }}

),

touched_runs as (

    select
        run_id,
        _batch_id as batch_id
    from changed_models

    union all

    {{ parents_left('changed_models', 'run_id') }}

    union all

    select
        models.run_id,
        touched_models.batch_id
    from models
    inner join touched_models on models.model_id = touched_models.model_id

),

touching as (

    select
        experiment_id,
        _batch_id as batch_id
    from changed_experiments

    union all

    select
        experiment_id,
        _batch_id as batch_id
    from changed_runs

    union all

    {{ parents_left('changed_runs', 'experiment_id') }}

    union all

    select
        runs.experiment_id,
        touched_runs.batch_id
    from runs
    inner join touched_runs on runs.run_id = touched_runs.run_id

),

final as (

    select
        experiment_id,
        max(batch_id) as batch_id
    from touching
    where experiment_id is not null
    group by experiment_id

)

select * from final
