with by_cutoff as (

    select * from {{ ref('int_forecast_accuracy_by_cutoff') }}

),

overall as (

    select * from {{ ref('int_forecast_accuracy_overall') }}

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
        first_target_at,
        last_target_at,
        expected_points,
        evaluated_points,
        missing_prediction_points,
        missing_actual_points,
        unusable_points,
        duplicate_rows,
        mae,
        rmse,
        bias,
        wape,
        smape,
        mase,
        rmsse,
        scaled_points,
        baseline_points,
        relative_mae,
        relative_rmse,
        confidence_level,
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
