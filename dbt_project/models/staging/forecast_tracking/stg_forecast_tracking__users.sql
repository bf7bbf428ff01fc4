with source as (

    {{ live_rows(source('forecast_tracking', 'users')) }}

),

renamed as (

    select
        -- ids
        user_id,
        user_uuid,
        _batch_id as batch_id,

        -- strings
        username,
        auth_provider,

        -- numerics
        login_count,

        -- booleans
        is_active,
        is_superuser,

        -- times
        last_login_at,
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
