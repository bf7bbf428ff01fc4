-- Whose a model is may become known later, and percentiles cannot be added up: so calls are kept by model and by provider.
with by_model as (

    select * from {{ ref('int_llm_cost_by_model') }}

),

by_provider as (

    select * from {{ ref('int_llm_cost_by_provider') }}

),

models as (

    select * from {{ ref('int_llm_models_listed') }}

),

united as (

    select
        by_model.started_on,
        by_model.tenant_id,
        by_model.step,
        models.provider,
        by_model.llm_model,
        by_model.calls,
        by_model.errors,
        by_model.retries,
        by_model.input_tokens,
        by_model.cache_read_tokens,
        by_model.cache_write_tokens,
        by_model.output_tokens,
        by_model.reasoning_tokens,
        by_model.unmetered_calls,
        by_model.latency_p50_seconds,
        by_model.latency_p95_seconds,
        by_model.price_versions,
        by_model.unpriced_calls,
        by_model.cost_usd,
        by_model.wasted_cost_usd,
        by_model.runs_completed,
        by_model.refreshed_at,
        by_model.source_batch_id
    from by_model
    inner join models on by_model.llm_model = models.llm_model
    where models.provider is not null

    union all

    select
        by_provider.started_on,
        by_provider.tenant_id,
        by_provider.step,
        by_provider.said_provider as provider,
        by_provider.llm_model,
        by_provider.calls,
        by_provider.errors,
        by_provider.retries,
        by_provider.input_tokens,
        by_provider.cache_read_tokens,
        by_provider.cache_write_tokens,
        by_provider.output_tokens,
        by_provider.reasoning_tokens,
        by_provider.unmetered_calls,
        by_provider.latency_p50_seconds,
        by_provider.latency_p95_seconds,
        by_provider.price_versions,
        by_provider.unpriced_calls,
        by_provider.cost_usd,
        by_provider.wasted_cost_usd,
        by_provider.runs_completed,
        by_provider.refreshed_at,
        by_provider.source_batch_id
    from by_provider
    left join models on by_provider.llm_model = models.llm_model
    where models.provider is null

),

final as (

    select
        started_on,
        tenant_id,
        step,
        provider,
        llm_model,
        calls,
        errors,
        retries,
        input_tokens,
        cache_read_tokens,
        cache_write_tokens,
        output_tokens,
        reasoning_tokens,
        unmetered_calls,
        latency_p50_seconds,
        latency_p95_seconds,
        price_versions,
        unpriced_calls,
        cost_usd,
        wasted_cost_usd,
        runs_completed,
        {{ mean_of_numerics('cost_usd', 'runs_completed') }} as cost_per_completed_run,
        refreshed_at,
        source_batch_id
    from united

)

select * from final
