with source as (

    {{ live_rows(source('pipe_service', 'pipelines')) }}

),

renamed as (

    select
        -- ids
        id as pipeline_id,
        organization_id,
        created_by,
        _batch_id as batch_id,

        -- strings
        name as pipeline_name,
        description,
        status,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
