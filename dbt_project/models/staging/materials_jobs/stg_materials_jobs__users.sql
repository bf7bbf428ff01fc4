with source as (

    {{ live_rows(source('materials_jobs', 'users')) }}

),

renamed as (

    select
        -- ids
        id,
        _batch_id as batch_id,

        -- strings
        username,

        -- booleans
        is_active,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
