with source as (

    {{ live_rows(source('pipe_service', 'api_keys')) }}

),

renamed as (

    select
        -- ids
        id as api_key_id,
        organization_id,
        created_by,
        _batch_id as batch_id,

        -- strings
        name as api_key_name,

        -- times
        last_used_at,
        created_at,
        expires_at,
        _synced_at as synced_at
    from source

)

select * from renamed
