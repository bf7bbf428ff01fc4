with source as (

    {{ live_rows(source('llm_usage', 'steps')) }}

),

renamed as (

    select
        -- ids
        tenant_id,
        step_id,
        run_id,
        _batch_id as batch_id,

        -- strings
        step,
        status,
        source_status,
        provider,
        llm_model,
        price_version,

        -- numerics
        retry_count,
        latency_seconds,
        input_tokens,
        cache_read_tokens,
        cache_write_tokens,
        output_tokens,
        reasoning_tokens,
        cost_usd,
        wasted_cost_usd,

        -- times
        started_at,
        completed_at,
        _synced_at as synced_at
    from source

)

select * from renamed
