{% set in_order = 'unique_id nulls last, horizon nulls last, cutoff_key nulls last' %}

with sums as (

    select * from {{ ref('int_interval_sums') }}

),

summed as (

    select
        case when grouping(unique_id) = 0 then sum_level else 'model' end as rollup_level,
        sum_level,
        experiment_id,
        model_id,
        unique_id,
        horizon,
        confidence_level,
        {{ added_up(['expected_points'] + interval_counts(), interval_values(), in_order) }}
    from sums
    group by grouping sets (
        (experiment_id, model_id, confidence_level, sum_level, unique_id, horizon),
        (experiment_id, model_id, confidence_level, sum_level)
    )

),

final as (

    select
        rollup_level,
        experiment_id,
        model_id,
        unique_id,
        cast(null as {{ type_timestamp_ntz() }}) as cutoff_at,
        cast(null as {{ type_timestamp_ntz() }}) as cutoff_key,
        horizon,
        confidence_level,
        expected_points,
        {{ interval_errors() }},
        {{ refresh_columns() }}
    from summed
    -- Sums by series and sums by horizon are each of all points.
    where rollup_level <> 'model' or sum_level = 'series'

)

select * from final
