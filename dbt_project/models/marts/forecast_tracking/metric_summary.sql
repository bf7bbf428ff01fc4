with metrics as (

    select * from {{ ref('int_metrics_classified') }}
    {{ computed_once() }}

),

final as (

    select
        run_id,
        model_id,
        metric_name,
        split,
        metric_direction,
        {{ metric_statistic('count') }} as sample_count,
        {{ metric_statistic('unusable_count') }} as unusable_count,
        {{ metric_statistic('min') }} as min_value,
        {{ metric_statistic('max') }} as max_value,
        {{ metric_statistic('mean') }} as mean_value,
        {{ metric_statistic('median') }} as median_value,
        {{ metric_statistic('std') }} as std_value,
        {{ metric_statistic('q1') }} as q1_value,
        {{ metric_statistic('q3') }} as q3_value,
        {{ metric_statistic('first') }} as first_value,
        {{ metric_statistic('last') }} as last_value,
        {{ metric_statistic('best') }} as best_value,
        {{ metric_statistic('worst') }} as worst_value,
        {{ metric_statistic('best_step') }} as best_step,
        {{ metric_statistic('last_step') }} as last_step,
        max(measured_at) as last_measured_at,
        {{ refresh_columns() }}
    from metrics
    group by run_id, model_id, metric_name, split, metric_direction

)

select * from final
