-- Models that have changed themselves, or in their run, their experiment, their registry entries or their metrics.
with changed_models as (

    {{ changed_rows('forecast_tracking', 'models') }}

),

changed_metrics as (

    {{ changed_rows('forecast_tracking', 'metrics') }}

),

changed_entries as (

    {{ changed_rows('forecast_tracking', 'model_registry') }}

),

touched_runs as (

    select * from {{ ref('touched_forecast_tracking__runs') }}

),

models as (

    select * from {{ ref('stg_forecast_tracking__models') }}

),

final as (

    select model_id from changed_models

    union

    select models.model_id
    from models
    inner join touched_runs on models.run_id = touched_runs.run_id

    union

    select model_id from changed_entries

    union

    {{ parents_left('changed_entries', 'model_id') }}

    union

    select model_id from changed_metrics

    union

    {{ parents_left('changed_metrics', 'model_id') }}

)

select * from final
where model_id is not null
