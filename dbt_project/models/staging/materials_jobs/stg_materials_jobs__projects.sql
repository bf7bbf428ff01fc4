with source as (

    {{ live_rows(source('materials_jobs', 'projects')) }}

),

renamed as (

    select
        -- ids
        id,
        owner_id,
        _batch_id as batch_id,

        -- strings
        name,
        description,

        -- booleans
        is_public,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
