with by_cutoff as (

    select * from {{ ref('int_interval_accuracy_by_cutoff') }}

),

overall as (

    select * from {{ ref('int_interval_accuracy_overall') }}

),

united as (

    select * from by_cutoff
    union all
    select * from overall

),

final as (

    select
        rollup_level,
        experiment_id,
        model_id,
        unique_id,
        cutoff_at,
        horizon,
        confidence_level,
        expected_points,
        interval_points,
        interval_coverage,
        interval_width,
        winkler_score,
        pinball_loss,
        refreshed_at,
        source_batch_id
    from united

)

select * from final
