with steps as (

    select * from {{ ref('int_llm_steps_priced') }}

),

final as (

    select
        step_id,
        run_id,
        step_name as step,
        status,
        source_status,
        provider,
        llm_model,
        prompt_version,
        {{ error_class('error_message') }} as error_class,
        retry_count,
        started_at,
        ended_at as completed_at,
        {{ seconds_between('started_at', 'ended_at') }} as latency_seconds,
        usage_shape,
        input_tokens,
        cache_read_tokens,
        cache_write_tokens,
        output_tokens,
        reasoning_tokens,
        price_version,
        cost_usd,
        wasted_cost_usd,
        {{ refresh_columns() }}
    from steps

)

select * from final
