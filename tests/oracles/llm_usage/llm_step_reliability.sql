select
    started_at::date as started_on,
    tenant_id,
    step,
    count(*) as executions,
    sum((status = 'succeeded')::int) as succeeded,
    sum((status = 'failed')::int) as failed,
    sum((status = 'cancelled')::int) as cancelled,
    avg((status = 'succeeded')::int) filter (where status in ('succeeded', 'failed'))::double precision as success_rate,
    coalesce(sum(retry_count), 0) as retries,
    sum((coalesce(retry_count, 0) > 0)::int) as executions_retried,
    percentile_cont(0.5) within group (order by latency_seconds) filter (where abs(latency_seconds) < 1e100) as latency_p50_seconds,
    percentile_cont(0.95) within group (order by latency_seconds) filter (where abs(latency_seconds) < 1e100) as latency_p95_seconds
from steps
where started_at is not null
group by 1, 2, 3
