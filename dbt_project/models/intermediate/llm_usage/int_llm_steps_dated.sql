with steps as (

    select * from {{ ref('stg_llm_usage__steps') }}

),

runs as (

    select * from {{ ref('stg_llm_usage__runs') }}

),

metered as (

    select
        *,
        coalesce(input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens) is not null as is_metered
    from steps
    where started_at is not null

),

final as (

    select
        metered.tenant_id,
        metered.step_id,
        metered.run_id,
        {{ utc_date('metered.started_at') }} as started_on,
        metered.step,
        coalesce(metered.llm_model, 'none') as llm_model,
        coalesce(metered.provider, 'unknown') as said_provider,
        metered.status,
        coalesce(runs.status = 'succeeded', false) as is_run_completed,
        -- Tokens were called for, even if nobody says of which model. What waits, or was left out, has called nothing.
        metered.is_metered
        or (metered.llm_model is not null and metered.status not in ('queued', 'cancelled')) as is_call,
        metered.is_metered,
        metered.retry_count,
        metered.latency_seconds,
        metered.input_tokens,
        metered.cache_read_tokens,
        metered.cache_write_tokens,
        metered.output_tokens,
        metered.reasoning_tokens,
        metered.price_version,
        metered.cost_usd,
        metered.wasted_cost_usd,
        {{ refresh_columns() }}
    from metered
    left join runs on metered.tenant_id = runs.tenant_id and metered.run_id = runs.run_id

)

select * from final
