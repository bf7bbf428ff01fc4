-- Experiments that have changed themselves, or in their runs, their models or their metrics.
with changed_experiments as (

    {{ changed_rows('forecast_tracking', 'experiments') }}

),

touched_models as (

    select * from {{ ref('touched_forecast_tracking__models') }}

),

touched_runs as (

    select * from {{ ref('touched_forecast_tracking__runs') }}

    union all

    select * from {{ ref('touched_forecast_tracking__measured_runs') }}

    union all

    {{ parents_of_touched('forecast_tracking', 'models', 'run_id', 'model_id', 'touched_models') }}

),

touching as (

    select
        experiment_id,
        _batch_id as batch_id
    from changed_experiments

    union all

    {{ parents_of_touched('forecast_tracking', 'runs', 'experiment_id', 'run_id', 'touched_runs') }}

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
