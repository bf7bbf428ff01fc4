{{ config(materialized='mart_view') }}

with performance as (

    select * from {{ ref('model_performance') }}

),

final as (

    select
        model_id,
        model_name,
        model_type,
        framework,
        run_id,
        experiment_id,
        validation_mae,
        validation_rmse,
        validation_smape,
        test_mae,
        test_rmse,
        test_smape,
        training_duration_seconds,
        model_size_bytes,
        created_at
    from performance
    where
        status = 'evaluated'
        and has_run

)

select * from final
