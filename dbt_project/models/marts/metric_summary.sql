with statistics as (

    {{ metric_statistics(['run_id', 'model_id']) }}

),

final as (

    select
        run_id,
        model_id,
        metric_name,
        split,
        metric_direction,
        value_count as sample_count,
        unusable_count,
        min_value,
        max_value,
        mean_value,
        median_value,
        std_value,
        q1_value,
        q3_value,
        first_value,
        last_value,
        best_value,
        worst_value,
        best_step,
        last_step,
        last_measured_at,
        {{ refresh_columns(['forecast_tracking']) }}
    from statistics

)

select * from final
