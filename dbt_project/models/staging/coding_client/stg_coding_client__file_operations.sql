with source as (

    {{ live_rows(source('coding_client', 'file_operations')) }}

),

renamed as (

    select
        -- ids
        id,
        session_id,
        user_id,
        _batch_id as batch_id,

        -- strings
        operation_type,
        file_path,
        old_file_path,
        content_hash,
        mime_type,
        encoding,
        language,
        error_message,

        -- numerics
        file_size_bytes,
        line_count,
        execution_time_ms,

        -- booleans
        is_binary,
        success as is_successful,

        -- times
        created_at as operated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
