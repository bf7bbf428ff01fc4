with source as (

    {{ live_rows(source('coding_client', 'notification_history')) }}

),

renamed as (

    select
        -- ids
        id,
        user_id,
        session_id,
        _batch_id as batch_id,

        -- strings
        notification_type,
        service_type,
        title,
        priority,
        status,
        error_message,

        -- numerics
        retry_count,
        max_retries,
        response_code,

        -- times
        scheduled_at,
        sent_at,
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
