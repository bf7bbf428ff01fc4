-- Runs with metrics that have changed.
with changed_metrics as (

    {{ changed_rows('forecast_tracking', 'metrics') }}

),

final as (

    select run_id from changed_metrics

    union

    {{ parents_left('changed_metrics', 'run_id') }}

)

select * from final
where run_id is not null
