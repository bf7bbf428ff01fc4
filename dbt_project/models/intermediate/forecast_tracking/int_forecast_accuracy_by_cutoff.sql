with points as (

    select * from {{ ref('int_forecast_points_scored') }}

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
        {{ point_sums() }},
        max(confidence_level) as confidence_level,
        {{ interval_sums() }}
    from points
    group by grouping sets (
        (experiment_id, model_id, unique_id, cutoff_at, cutoff_key, horizon),
        (experiment_id, model_id, unique_id, cutoff_at, cutoff_key)
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
        {{ accuracy() }},
        {{ refresh_columns() }}
    from summed

)

select * from final
