with source as (

    {{ live_rows(source('llm_usage', 'runs')) }}

),

renamed as (

    select
        -- ids
        tenant_id,
        run_id,
        _batch_id as batch_id,

        -- strings
        status,
        source_status,
        current_step,

        -- numerics
        wall_seconds,
        steps_total,
        steps_done,
        retries,

        -- times
        started_at,
        ended_at,
        _synced_at as synced_at
    from source

)

select * from renamed
