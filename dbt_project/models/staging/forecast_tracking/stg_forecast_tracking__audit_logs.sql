with source as (

    {{ live_rows(source('forecast_tracking', 'audit_logs')) }}

),

renamed as (

    select
        -- ids
        audit_id,
        record_id,
        user_id,
        _batch_id as batch_id,

        -- strings
        table_name,
        operation_type,

        -- times
        created_at as changed_at,
        _synced_at as synced_at
    from source

)

select * from renamed
