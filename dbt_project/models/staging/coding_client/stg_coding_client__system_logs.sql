with source as (

    {{ live_rows(source('coding_client', 'system_logs')) }}

),

renamed as (

    select
        -- ids
        id,
        user_id,
        session_id,
        _batch_id as batch_id,

        -- strings
        level,
        category,
        module,
        message,

        -- times
        created_at as logged_at,
        _synced_at as synced_at
    from source

)

select * from renamed
