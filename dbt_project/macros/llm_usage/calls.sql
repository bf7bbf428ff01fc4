{% macro sums_of_calls() -%}
    count(*) as calls,
    count(*) filter (where status = 'failed') as errors,
    coalesce(sum(retry_count), 0) as retries,
    count(*) filter (where not is_metered) as unmetered_calls,
    cast(sum(input_tokens) as numeric(38, 0)) as input_tokens,
    cast(sum(cache_read_tokens) as numeric(38, 0)) as cache_read_tokens,
    cast(sum(cache_write_tokens) as numeric(38, 0)) as cache_write_tokens,
    cast(sum(output_tokens) as numeric(38, 0)) as output_tokens,
    cast(sum(reasoning_tokens) as numeric(38, 0)) as reasoning_tokens,
    percentile_cont(0.5) within group (order by latency_seconds nulls last)
    filter (where {{ is_usable('latency_seconds') }}) as latency_p50_seconds,
    percentile_cont(0.95) within group (order by latency_seconds nulls last)
    filter (where {{ is_usable('latency_seconds') }}) as latency_p95_seconds,
    {{ list_distinct('price_version') }} as price_versions,
    count(*) filter (where is_metered and cost_usd is null) as unpriced_calls,
    sum(cost_usd) as cost_usd,
    sum(wasted_cost_usd) as wasted_cost_usd,
    count(distinct case when is_run_completed then run_id end) as runs_completed
{%- endmacro %}
