with source as (

    {{ live_rows(source('llm_workflow', 'steps')) }}

),

renamed as (

    select
        -- ids
        id as step_id,
        run_id,
        _batch_id as batch_id,

        -- strings
        step as step_name,
        status,
        llm_model,
        token_usage,
        error_message,

        -- numerics
        retry_count,
        prompt_version,

        -- times
        started_at,
        completed_at as ended_at,
        _synced_at as synced_at
    from source

)

select * from renamed
