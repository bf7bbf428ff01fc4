with intervals as (

    select * from {{ ref('int_forecast_intervals_scored') }}

),

final as (

    select
        case when grouping(horizon) = 0 then 'horizon' else 'series' end as sum_level,
        experiment_id,
        model_id,
        cutoff_key,
        unique_id,
        horizon,
        confidence_level,
        count(*) as expected_points,
        {{ interval_sums() }}
    from intervals
    group by grouping sets (
        (experiment_id, model_id, confidence_level, cutoff_key, unique_id),
        (experiment_id, model_id, confidence_level, cutoff_key, horizon)
    )

)

select * from final
