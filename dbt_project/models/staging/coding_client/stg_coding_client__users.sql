with source as (

    {{ live_rows(source('coding_client', 'users')) }}

),

renamed as (

    select
        -- ids
        id,
        _batch_id as batch_id,

        -- strings
        username,
        resource_quota,

        -- numerics
        login_count,

        -- booleans
        is_active,
        is_admin,

        -- times
        last_login as last_login_at,
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
