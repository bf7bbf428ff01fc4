-- Runs whose row in fct_runs may differ: they, or their experiment, have changed, or they have become zombies since the last refresh.
with changed_runs as (

    {{ changed_rows('forecast_tracking', 'runs') }}

),

changed_experiments as (

    {{ changed_rows('forecast_tracking', 'experiments') }}

),

runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

zombies as (

    {{ new_zombies('forecast_tracking') }}

),

touching as (

    select
        run_id,
        _batch_id as batch_id
    from changed_runs

    union all

    select
        runs.run_id,
        changed_experiments._batch_id as batch_id
    from runs
    inner join changed_experiments on runs.experiment_id = changed_experiments.experiment_id

    union all

    select
        cast(execution_id as bigint) as run_id,
        cast(null as bigint) as batch_id
    from zombies

),

final as (

    select
        run_id,
        max(batch_id) as batch_id
    from touching
    group by run_id

)

select * from final
