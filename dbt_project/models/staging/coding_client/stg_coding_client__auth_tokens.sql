with source as (

    {{ live_rows(source('coding_client', 'auth_tokens')) }}

),

renamed as (

    select
        -- ids
        id,
        user_id,
        _batch_id as batch_id,

        -- strings
        token_type,

        -- booleans
        is_active,

        -- times
        expires_at,
        last_used as last_used_at,
        created_at as issued_at,
        _synced_at as synced_at
    from source

)

select * from renamed
