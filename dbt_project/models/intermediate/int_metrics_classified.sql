with metrics as (

    select * from {{ ref('stg_forecast_tracking__metrics') }}

),

runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

final as (

    select
        metrics.metric_id,
        metrics.run_id,
        metrics.model_id,
        runs.experiment_id,
        metrics.metric_name,
        metrics.split,
        {{ metric_direction('metrics.metric_name') }} as metric_direction,
        metrics.metric_value,
        {{ usable('metrics.metric_value') }} as usable_value,
        metrics.metric_step,
        metrics.measured_at
    from metrics
    left join runs on metrics.run_id = runs.run_id

)

select * from final
