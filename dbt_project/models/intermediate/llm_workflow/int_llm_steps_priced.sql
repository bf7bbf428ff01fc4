with steps as (

    select * from {{ ref('stg_llm_workflow__steps') }}

),

prices as (

    {{ llm_prices() }}

),

known_models as (

    select distinct
        provider,
        model_name
    from ({{ llm_prices() }}) as listed

),

used as (

    {{ token_usage('steps', 'token_usage') }}

),

-- The prices of a step come first among those of its model that were valid by then: those of the newest list, and of its highest tier.
offered as (

    select
        used.*,
        prices.price_version,
        prices.input_price,
        prices.cache_read_price,
        prices.cache_write_price,
        prices.hour_cache_write_price,
        prices.output_price,
        row_number() over (
            partition by used.step_id
            order by prices.valid_from desc nulls last, prices.tier_above_input_tokens desc nulls last
        ) as price_rank
    from used
    left join prices
        on
            used.llm_model = prices.model_name
            and used.started_at >= prices.valid_from
            and (
                prices.tier_above_input_tokens = 0
                or used.input_tokens + used.cache_read_tokens + used.cache_write_tokens > prices.tier_above_input_tokens
            )

),

priced as (

    select
        *,
        cast(
            0.000001 * (
                {{ cost_of('input_tokens', 'input_price') }}
                + {{ cost_of('cache_read_tokens', 'cache_read_price') }}
                + {{ cost_of('(cache_write_tokens - coalesce(hour_cache_write_tokens, 0))', 'cache_write_price') }}
                + {{ cost_of('coalesce(hour_cache_write_tokens, 0)', 'hour_cache_write_price') }}
                + {{ cost_of('(output_tokens + coalesce(reasoning_tokens, 0))', 'output_price') }}
            ) as numeric(38, 12)
        ) as cost_usd
    from offered
    where price_rank = 1

),

final as (

    select
        priced.step_id,
        priced.run_id,
        priced.step_name,
        {{ llm_status('priced.status') }} as status,
        priced.status as source_status,
        priced.llm_model,
        known_models.provider,
        priced.prompt_version,
        priced.error_message,
        priced.retry_count,
        priced.started_at,
        priced.ended_at,
        priced.usage_shape,
        priced.input_tokens,
        priced.cache_read_tokens,
        priced.cache_write_tokens,
        priced.output_tokens,
        priced.reasoning_tokens,
        case when priced.cost_usd is not null then priced.price_version end as price_version,
        priced.cost_usd,
        cast(
            case
                when priced.cost_usd is null then null
                when priced.status = 'failed' or priced.retry_count > 0 then priced.cost_usd
                else 0
            end as numeric(38, 12)
        ) as wasted_cost_usd
    from priced
    left join known_models on priced.llm_model = known_models.model_name

)

select * from final
