-- Whether files are as their rows say nobody can ask the source: here none was read.
with executions as (
    {oracle llm_steps}
)

select
    run.id as run_id,
    case run.status when 'pending' then 'queued' when 'completed' then 'succeeded' else run.status end as status,
    run.status as source_status,
    run.current_step,
    run.created_at as started_at,
    run.updated_at,
    whole.ended_at,
    extract(epoch from whole.ended_at - run.created_at)::double precision as wall_seconds,
    whole.steps as steps_total,
    whole.done as steps_done,
    whole.failed as steps_failed,
    whole.retries,
    whole.fresh as input_tokens,
    whole.cached as cache_read_tokens,
    whole.written as cache_write_tokens,
    whole.said as output_tokens,
    whole.reasoning as reasoning_tokens,
    whole.cost as cost_usd,
    whole.wasted as wasted_cost_usd,
    whole.unpriced as unpriced_steps,
    file.files as output_files,
    file.bytes as output_bytes
from runs as run
cross join lateral (
    select
        count(*) as steps,
        count(*) filter (where source_status in ('completed', 'skipped')) as done,
        count(*) filter (where source_status = 'failed') as failed,
        coalesce(sum(retry_count), 0)::bigint as retries,
        max(completed_at) filter (where run.status in ('completed', 'failed')) as ended_at,
        sum(input_tokens)::bigint as fresh,
        sum(cache_read_tokens)::bigint as cached,
        sum(cache_write_tokens)::bigint as written,
        sum(output_tokens)::bigint as said,
        sum(reasoning_tokens)::bigint as reasoning,
        sum(cost_usd)::numeric(38, 12) as cost,
        sum(wasted_cost_usd)::numeric(38, 12) as wasted,
        count(*) filter (where usage_shape is not null and cost_usd is null) as unpriced
    from executions
    where executions.run_id = run.id
) as whole
cross join lateral (
    select
        count(*) as files,
        coalesce(sum(a.size_bytes), 0)::bigint as bytes
    from artifacts as a
    where a.run_id = run.id
) as file
