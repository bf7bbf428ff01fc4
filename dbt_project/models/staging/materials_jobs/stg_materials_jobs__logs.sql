with source as (

    {{ live_rows(source('materials_jobs', 'logs')) }}

),

renamed as (

    select
        -- ids
        id,
        who,
        object_id,
        _batch_id as batch_id,

        -- strings
        action,
        object_type,

        -- times
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
