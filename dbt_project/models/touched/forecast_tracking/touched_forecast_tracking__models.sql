-- Models that have changed themselves, or in their run, their experiment, their registry entries or their metrics.
with changed_models as (

    {{ changed_rows('forecast_tracking', 'models') }}

),

touched_runs as (

    select * from {{ ref('touched_forecast_tracking__runs') }}

),

models as (

    select * from {{ ref('stg_forecast_tracking__models') }}

),

touching as (

    select
        model_id,
        _batch_id as batch_id
    from changed_models

    union all

    select
        models.model_id,
        touched_runs.batch_id
    from models
    inner join touched_runs on models.run_id = touched_runs.run_id

    union all

    {{ changed_parents('forecast_tracking', 'model_registry', 'model_id') }}

    union all

    {{ changed_parents('forecast_tracking', 'metrics', 'model_id') }}

),

final as (

    select
        model_id,
        max(batch_id) as batch_id
    from touching
    where model_id is not null
    group by model_id

)

select * from final
