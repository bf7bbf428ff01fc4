-- Experiments whose forecasts may have other errors, or other names: they have changed themselves, or in their runs, models, registry
-- entries or predictions.
with changed_experiments as (

    {{ changed_rows('forecast_tracking', 'experiments') }}

),

touched_models as (

    {{ changed_parents('forecast_tracking', 'model_registry', 'model_id') }}

    union all

    {{ changed_parents('forecast_tracking', 'predictions', 'model_id') }}

),

touched_runs as (

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
