-- The control database says whose models are, see llm_cost.llm_control.sql.
with

listed as (
    select *
    from jsonb_to_recordset(%(llm_control)s::jsonb) as model (model_name text, provider_id text)
),

calls as (
    select
        steps.*,
        started_at::date as started_on,
        coalesce(llm_model, 'none') as model,
        num_nonnulls(input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens) > 0 as has_tokens,
        case (select count(distinct provider_id) from listed where model_name = coalesce(steps.llm_model, 'none'))
            when 1 then (select max(provider_id) from listed where model_name = coalesce(steps.llm_model, 'none'))
            else coalesce(provider, 'unknown')
        end as called
    from steps
),

made as (
    select *
    from calls
    where started_on is not null and (has_tokens or (llm_model is not null and status not in ('queued', 'cancelled')))
),

-- A value that is no number, or too large to be computed with, is no latency.
timed as (
    select * from made where abs(latency_seconds) < 1e100
),

keys as (
    select distinct started_on, tenant_id, step, called, model from made
)

select
    keys.started_on,
    keys.tenant_id,
    keys.step,
    keys.called as provider,
    keys.model as llm_model,
    summed.calls,
    summed.errors,
    summed.retries,
    summed.input_tokens,
    summed.cache_read_tokens,
    summed.cache_write_tokens,
    summed.output_tokens,
    summed.reasoning_tokens,
    summed.unmetered_calls,
    latency.p50 as latency_p50_seconds,
    latency.p95 as latency_p95_seconds,
    (
        select string_agg(price_version, ',' order by price_version)
        from (
            select distinct price_version
            from made
            where
                (started_on, tenant_id, step, called, model) = (keys.started_on, keys.tenant_id, keys.step, keys.called, keys.model)
                and price_version is not null
        ) as versions
    ) as price_versions,
    summed.unpriced_calls,
    summed.cost_usd,
    summed.wasted_cost_usd,
    completed.number as runs_completed,
    case when completed.number > 0 then summed.cost_usd / completed.number end as cost_per_completed_run
from keys
cross join lateral (
    select
        count(*) as calls,
        sum((status = 'failed')::int) as errors,
        coalesce(sum(retry_count), 0) as retries,
        sum(input_tokens) as input_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(cache_write_tokens) as cache_write_tokens,
        sum(output_tokens) as output_tokens,
        sum(reasoning_tokens) as reasoning_tokens,
        sum((not has_tokens)::int) as unmetered_calls,
        sum((has_tokens and cost_usd is null)::int) as unpriced_calls,
        sum(cost_usd) as cost_usd,
        sum(wasted_cost_usd) as wasted_cost_usd
    from made
    where (started_on, tenant_id, step, called, model) = (keys.started_on, keys.tenant_id, keys.step, keys.called, keys.model)
) as summed
cross join lateral (
    select
        percentile_cont(0.5) within group (order by latency_seconds) as p50,
        percentile_cont(0.95) within group (order by latency_seconds) as p95
    from timed
    where (started_on, tenant_id, step, called, model) = (keys.started_on, keys.tenant_id, keys.step, keys.called, keys.model)
) as latency
cross join lateral (
    select count(*) as number
    from runs
    where
        runs.status = 'succeeded'
        and exists (
            select 1
            from made
            where
                (made.tenant_id, made.run_id) = (runs.tenant_id, runs.run_id)
                and (started_on, made.tenant_id, step, called, model)
                = (keys.started_on, keys.tenant_id, keys.step, keys.called, keys.model)
        )
) as completed
