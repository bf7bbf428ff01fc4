-- Runs with metrics that have changed.
with touching as (

    {{ changed_parents('forecast_tracking', 'metrics', 'run_id') }}

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
