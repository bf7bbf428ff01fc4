with source as (

    {{ live_rows(source('materials_jobs', 'materials')) }}

),

renamed as (

    select
        -- ids
        id,
        external_id,
        _batch_id as batch_id,

        -- strings
        name,
        composition,
        properties,

        -- times
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
