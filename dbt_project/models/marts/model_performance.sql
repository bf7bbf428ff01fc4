{{ mart(touched='forecast_tracking__models', grouped_by=['model_id'], indexes=[{'columns': ['experiment_id']}]) }}

with models as (

    select * from {{ ref('stg_forecast_tracking__models') }}
    where {{ is_touched('forecast_tracking__models', 'model_id') }}

),

runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

experiments as (

    select * from {{ ref('stg_forecast_tracking__experiments') }}

),

registry as (

    select * from {{ ref('stg_forecast_tracking__model_registry') }}
    where {{ is_touched('forecast_tracking__models', 'model_id') }}

),

-- The entry that says most of a model: its highest stage, and there the newest.
registered as (

    select
        *,
        count(*) over (partition by model_id) as registry_entries,
        row_number() over (
            partition by model_id
            order by
                case current_stage when 'production' then 1 when 'staging' then 2 when 'archived' then 3 else 4 end nulls last,
                coalesce(stage_changed_at, created_at) desc nulls first,
                registry_id desc nulls first
        ) as position_by_stage
    from registry

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
        registered.model_version as registered_version,
        registered.current_stage as registry_stage,
        coalesce(registered.registry_entries, 0) as registry_entries,
        models.created_at,
        {{ refresh_columns(['forecast_tracking']) }}
    from models
    left join runs on models.run_id = runs.run_id
    left join experiments on runs.experiment_id = experiments.experiment_id
    left join registered on models.model_id = registered.model_id and registered.position_by_stage = 1
    left join statistics on models.model_id = statistics.model_id

)

select * from final
