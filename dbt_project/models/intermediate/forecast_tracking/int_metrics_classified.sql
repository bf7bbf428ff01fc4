with metrics as (

    select * from {{ ref('stg_forecast_tracking__metrics') }}

),

final as (

    select
        metric_id,
        run_id,
        model_id,
        metric_name,
        split,
        {{ metric_direction('metric_name') }} as metric_direction,
        metric_value,
        {{ usable('metric_value') }} as usable_value,
        metric_step,
        measured_at
    from metrics

)

select * from final
