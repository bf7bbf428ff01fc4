with source as (

    {{ live_rows(source('pipe_service', 'storage_files')) }}

),

renamed as (

    select
        -- ids
        id as file_id,
        organization_id,
        created_by,
        _batch_id as batch_id,

        -- strings
        path,
        mime_type,
        metadata,

        -- numerics
        size as size_bytes,

        -- times
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
