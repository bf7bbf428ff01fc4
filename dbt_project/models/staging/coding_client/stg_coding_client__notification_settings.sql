with source as (

    {{ live_rows(source('coding_client', 'notification_settings')) }}

),

renamed as (

    select
        -- ids
        id,
        user_id,
        _batch_id as batch_id,

        -- strings
        notification_type,
        service_type,
        filter_rules,

        -- booleans
        is_enabled,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
