with source as (

    {{ live_rows(source('forecast_tracking', 'artifacts')) }}

),

renamed as (

    select
        -- ids
        artifact_id,
        artifact_uuid,
        run_id,
        _batch_id as batch_id,

        -- strings
        artifact_name,
        artifact_type,
        artifact_path,
        file_format,
        mime_type,
        file_hash,
        storage_type,
        storage_path,
        description,
        tags,
        metadata,

        -- numerics
        file_size_bytes,
        access_count,

        -- booleans
        is_public,

        -- times
        last_accessed_at,
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
