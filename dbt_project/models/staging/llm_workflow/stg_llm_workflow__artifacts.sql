with source as (

    {{ live_rows(source('llm_workflow', 'artifacts')) }}

),

renamed as (

    select
        -- ids
        id as artifact_id,
        run_id,
        _batch_id as batch_id,

        -- strings
        step as step_name,
        file_type,
        file_path,
        digest,

        -- numerics
        size_bytes,

        -- times
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
