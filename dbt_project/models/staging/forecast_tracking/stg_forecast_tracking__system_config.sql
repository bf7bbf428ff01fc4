with source as (

    {{ live_rows(source('forecast_tracking', 'system_config')) }}

),

renamed as (

    select
        -- ids
        config_id,
        _batch_id as batch_id,

        -- strings
        config_key,
        config_type,
        description,
        category,

        -- booleans
        is_secret,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
