with source as (

    {{ live_rows(source('forecast_tracking', 'system_logs')) }}

),

renamed as (

    select
        -- ids
        log_id,
        run_id,
        user_id,
        _batch_id as batch_id,

        -- strings
        log_level,
        log_message,
        log_source,
        exception_type,

        -- times
        created_at as logged_at,
        _synced_at as synced_at
    from source

)

select * from renamed
