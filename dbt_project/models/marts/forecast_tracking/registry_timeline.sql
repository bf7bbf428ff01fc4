with registry as (

    select * from {{ ref('stg_forecast_tracking__model_registry') }}

),

-- The source keeps the current stage and the one before it. Where no transition is recorded the current stage began with the entry; where
-- a stage before it is recorded without a time, when it ended is not known.
stages as (

    select
        registry_id,
        model_id,
        registered_model_name,
        model_version,
        1 as stage_number,
        previous_stage as stage_name,
        false as is_current,
        created_at as valid_from,
        stage_changed_at as valid_to
    from registry
    where previous_stage is not null

    union all

    select
        registry_id,
        model_id,
        registered_model_name,
        model_version,
        case when previous_stage is null then 1 else 2 end as stage_number,
        current_stage as stage_name,
        true as is_current,
        case when previous_stage is null then coalesce(stage_changed_at, created_at) else stage_changed_at end as valid_from,
        cast(null as {{ type_timestamp_ntz() }}) as valid_to
    from registry

),

final as (

    select
        cast(stages.registry_id as {{ type_text() }}) || ':' || cast(stages.stage_number as {{ type_text() }}) as stage_key,
        stages.registry_id,
        stages.model_id,
        stages.registered_model_name,
        stages.model_version as registered_version,
        stages.stage_number,
        stages.stage_name,
        stages.is_current,
        stages.valid_from,
        stages.valid_to,
        registry.approved_by,
        registry.approved_at,
        registry.deployment_target,
        registry.deployed_at,
        {{ refresh_columns() }}
    from stages
    inner join registry on stages.registry_id = registry.registry_id

)

select * from final
