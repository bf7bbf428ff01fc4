with source as (

    {{ live_rows(source('pipe_service', 'pipeline_runs')) }}

),

renamed as (

    select
        -- ids
        id as run_id,
        pipeline_id,
        created_by,
        _batch_id as batch_id,

        -- strings
        status,
        error_message,
        metrics,

        -- times
        started_at,
        completed_at as ended_at,
        _synced_at as synced_at
    from source

)

select * from renamed
