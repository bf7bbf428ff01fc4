with intervals as (

    select * from {{ ref('int_forecast_intervals_scored') }}

),

summed as (

    select
        case when grouping(horizon) = 0 then 'point' else 'cutoff' end as rollup_level,
        experiment_id,
        model_id,
        unique_id,
        cutoff_at,
        cutoff_key,
        horizon,
        confidence_level,
        count(*) as expected_points,
        {{ interval_sums() }}
    from intervals
    group by grouping sets (
        (experiment_id, model_id, confidence_level, unique_id, cutoff_at, cutoff_key, horizon),
        (experiment_id, model_id, confidence_level, unique_id, cutoff_at, cutoff_key)
    )

),

final as (

    select
        rollup_level,
        experiment_id,
        model_id,
        unique_id,
        cutoff_at,
        cutoff_key,
        horizon,
        confidence_level,
        expected_points,
        {{ interval_errors() }},
        {{ refresh_columns() }}
    from summed

)

select * from final
