with source as (

    {{ live_rows(source('pipe_service', 'audit_logs')) }}

),

renamed as (

    select
        -- ids
        id as audit_log_id,
        user_id,
        _batch_id as batch_id,

        -- strings
        table_name,
        operation,
        row_key,
        changed_fields,
        database_role,

        -- times
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
