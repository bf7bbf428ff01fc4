-- Runs with metrics that have changed.
with changed_metrics as (

    {{ changed_rows('forecast_tracking', 'metrics') }}

),

touching as (

    select
        run_id,
        _batch_id as batch_id
    from changed_metrics

    union all

    {{ parents_left('changed_metrics', 'run_id') }}

),

final as (

    select
        run_id,
        max(batch_id) as batch_id
    from touching
    where run_id is not null
    group by run_id

)

select * from final
