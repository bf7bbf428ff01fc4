with models as (

    select * from {{ ref('stg_forecast_tracking__models') }}

),

runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

experiments as (

    select * from {{ ref('stg_forecast_tracking__experiments') }}

),

registered as (

    select * from {{ ref('int_models_registered') }}

),

statistics as (

    select * from {{ ref('int_model_metrics_pivoted') }}

),

largest_values as (

    select
        model_id,
        {{- largest_metric_values() }}
    from {{ ref('int_metrics_classified') }}
    group by model_id

),

joined as (

    select
        models.model_id,
        models.run_id,
        runs.experiment_id,
        models.model_name,
        models.model_type,
        models.model_version,
        models.framework,
        models.framework_version,
        models.status,
        runs.run_id is not null as has_run,
        runs.status as run_status,
        experiments.experiment_name,
        runs.deleted_at is not null or experiments.deleted_at is not null as is_deleted,
        models.training_samples,
        models.training_duration_seconds,
        models.model_size_bytes,
        {{- largest_metric_columns('largest_values') }},
        {{- wide_columns('statistics') }},
        registered.registered_model_name,
        registered.registered_version,
        registered.registry_stage,
        coalesce(registered.registry_entries, 0) as registry_entries,
        models.created_at
    from models
    left join runs on models.run_id = runs.run_id
    left join experiments on runs.experiment_id = experiments.experiment_id
    left join registered on models.model_id = registered.model_id
    left join statistics on models.model_id = statistics.model_id
    left join largest_values on models.model_id = largest_values.model_id

),

-- Only models that are in use compete; within an experiment all of them by the test error, or all of them by the validation error.
ranked as (

    select
        model_id,
        row_number() over (
            partition by experiment_id
            order by test_mae_mean nulls last, validation_mae_best nulls last, model_id
        ) as order_in_experiment
    from joined
    where
        not is_deleted
        and coalesce(test_mae_mean, validation_mae_best) is not null

),

final as (

    select
        joined.*,
        coalesce(ranked.order_in_experiment = 1, false) as is_best_of_experiment,
        {{ refresh_columns(['forecast_tracking']) }}
    from joined
    left join ranked on joined.model_id = ranked.model_id

)

select * from final
