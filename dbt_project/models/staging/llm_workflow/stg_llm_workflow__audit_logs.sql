with source as (

    {{ live_rows(source('llm_workflow', 'audit_logs')) }}

),

renamed as (

    select
        -- ids
        id as audit_log_id,
        user_id,
        resource_id,
        _batch_id as batch_id,

        -- strings
        action,
        resource_type,

        -- times
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
