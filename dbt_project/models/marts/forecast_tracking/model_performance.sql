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

    {{ statistics_of_wide_metrics(ref('int_metrics_classified'), 'models', 'model_id', 'model_id') }}

),

final as (

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
        {{- largest_metric_columns('statistics') }},
        {{- wide_columns('statistics') }},
        registered.registered_model_name,
        registered.registered_version,
        registered.registry_stage,
        coalesce(registered.registry_entries, 0) as registry_entries,
        models.created_at,
        {{ refresh_columns() }}
    from models
    left join runs on models.run_id = runs.run_id
    left join experiments on runs.experiment_id = experiments.experiment_id
    left join registered on models.model_id = registered.model_id
    left join statistics on models.model_id = statistics.model_id

)

select * from final
