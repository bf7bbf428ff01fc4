with source as (

    {{ live_rows(source('forecast_tracking', 'model_registry')) }}

),

renamed as (

    select
        -- ids
        registry_id,
        model_id,
        _batch_id as batch_id,

        -- strings
        registered_model_name,
        current_stage,
        previous_stage,
        approved_by,
        approval_notes,
        deployment_target,
        production_metrics,
        description,
        tags,
        metadata,

        -- numerics
        model_version,

        -- times
        stage_transition_at as stage_changed_at,
        approved_at,
        deployed_at,
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
