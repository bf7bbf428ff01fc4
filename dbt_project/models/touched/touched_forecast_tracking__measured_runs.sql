-- Runs with metrics that have changed.
with measurements as (

    select * from {{ ref('touched_forecast_tracking__measurements') }}

),

final as (

    select
        run_id,
        max(batch_id) as batch_id
    from measurements
    where run_id is not null
    group by run_id

)

select * from final
