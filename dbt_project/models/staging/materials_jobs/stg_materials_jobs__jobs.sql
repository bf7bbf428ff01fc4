with source as (

    {{ live_rows(source('materials_jobs', 'jobs')) }}

),

renamed as (

    select
        -- ids
        id,
        project_id,
        created_by,
        _batch_id as batch_id,

        -- strings
        name,
        description,
        type,
        parameters,
        status,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
