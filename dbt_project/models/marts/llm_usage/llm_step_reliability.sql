with by_day as (

    select * from {{ ref('int_llm_step_reliability_by_day') }}

),

final as (

    select
        started_on,
        tenant_id,
        step,
        executions,
        succeeded,
        failed,
        cancelled,
        success_rate,
        retries,
        executions_retried,
        latency_p50_seconds,
        latency_p95_seconds,
        refreshed_at,
        source_batch_id
    from by_day

)

select * from final
