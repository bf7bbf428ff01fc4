with source as (

    {{ live_rows(source('forecast_tracking', 'tags')) }}

),

renamed as (

    select
        -- ids
        tag_id,
        _batch_id as batch_id,

        -- strings
        tag_name,
        tag_category,
        tag_description,
        metadata,

        -- numerics
        usage_count,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
