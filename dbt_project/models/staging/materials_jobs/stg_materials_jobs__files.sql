with source as (

    {{ live_rows(source('materials_jobs', 'files')) }}

),

renamed as (

    select
        -- ids
        id,
        project_id,
        job_run_id,
        created_by,
        _batch_id as batch_id,

        -- strings
        name,
        mime_type,
        storage_path,

        -- numerics
        size_bytes,

        -- times
        job_run_created_at,
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
