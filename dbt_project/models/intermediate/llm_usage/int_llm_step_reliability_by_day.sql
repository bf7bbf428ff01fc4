with steps as (

    select * from {{ ref('int_llm_steps_dated') }}

),

counted as (

    select
        tenant_id,
        started_on,
        step,
        count(*) as executions,
        count(*) filter (where status = 'succeeded') as succeeded,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'cancelled') as cancelled,
        coalesce(sum(retry_count), 0) as retries,
        count(*) filter (where retry_count > 0) as executions_retried,
        percentile_cont(0.5) within group (order by latency_seconds nulls last)
        filter (where {{ is_usable('latency_seconds') }}) as latency_p50_seconds,
        percentile_cont(0.95) within group (order by latency_seconds nulls last)
        filter (where {{ is_usable('latency_seconds') }}) as latency_p95_seconds
    from steps
    group by tenant_id, started_on, step

),

final as (

    select
        tenant_id,
        started_on,
        step,
        executions,
        succeeded,
        failed,
        cancelled,
        cast(succeeded as {{ type_double() }}) / nullif(succeeded + failed, 0) as success_rate,
        retries,
        executions_retried,
        latency_p50_seconds,
        latency_p95_seconds,
        {{ refresh_columns() }}
    from counted

)

select * from final
