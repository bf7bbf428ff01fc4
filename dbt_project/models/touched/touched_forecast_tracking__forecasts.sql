-- Experiments whose forecasts may have other errors, or other names: they have changed themselves, or in their runs, models, registry
-- entries or predictions.
with changed_experiments as (

    {{ changed_rows('forecast_tracking', 'experiments') }}

),

touched_models as (

    {{ changed_parents('forecast_tracking', 'model_registry', ['model_id']) }}

    union all

    {{ changed_parents('forecast_tracking', 'predictions', ['model_id']) }}

),

models as (

    select * from {{ ref('stg_forecast_tracking__models') }}

),

touched_runs as (

    {{ changed_parents('forecast_tracking', 'models', ['run_id']) }}

    union all

    select
        models.run_id,
        touched_models.batch_id
    from models
    inner join touched_models on models.model_id = touched_models.model_id

),

runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

touching as (

    select
        experiment_id,
        _batch_id as batch_id
    from changed_experiments

    union all

    {{ changed_parents('forecast_tracking', 'runs', ['experiment_id']) }}

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
