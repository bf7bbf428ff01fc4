{#
    What providers of language models charge, by model and date: list prices, in US dollars per million tokens.

    No dbt seed: a seed is a table that nobody's contract declares, so that no refresh would notice that it has changed, and dbt drops it with the
    views on it to load it again. Here a changed price is a changed project, which recomputes everything.
#}

{% macro llm_prices() -%}
    {#-
        Sources, as they stood at the end of 2025: docs.claude.com/en/docs/about-claude/pricing (also what writing to a cache costs for 5 minutes and
        for an hour), ai.google.dev/gemini-api/docs/pricing (text; what a cache costs by the hour is no price of a token), and
        platform.openai.com/docs/pricing (standard tier; writing to a cache costs nothing of its own and is not told). Prices are valid from the
        day on which the model came out. Those of Gemini begin later, with its preview of September 2025: they had read cached tokens for a
        quarter of the input's price instead of a tenth before, and the page does not say until when.

        A call has the prices of the highest tier that its input is above: all input, from caches too. A price that is added gets a row of its own
        with the moment (UTC) from which it is valid, in each tier; what stands here is not changed, or old calls would change their cost.
    -#}
    select
        provider,
        model_name,
        cast(valid_from as {{ type_timestamp_ntz() }}) as valid_from,
        tier_above_input_tokens,
        cast(input_price as numeric(12, 6)) as input_price,
        cast(cache_read_price as numeric(12, 6)) as cache_read_price,
        cast(cache_write_price as numeric(12, 6)) as cache_write_price,
        cast(hour_cache_write_price as numeric(12, 6)) as hour_cache_write_price,
        cast(output_price as numeric(12, 6)) as output_price,
        price_version
    from (
        values
        {#- provider, model_name, valid_from, tier_above_input_tokens, input, cache read, cache write, write for an hour, output, price_version -#}
        ('claude', 'claude-opus-4-1', '2025-08-05', 0, 15, 1.5, 18.75, 30, 75, 'claude-2025-08-05'),
        ('claude', 'claude-sonnet-4-5', '2025-09-29', 0, 3, 0.3, 3.75, 6, 15, 'claude-2025-09-29'),
        ('claude', 'claude-sonnet-4-5', '2025-09-29', 200000, 6, 0.6, 7.5, 12, 22.5, 'claude-2025-09-29-above-200k'),
        ('gemini', 'gemini-2.5-pro', '2025-09-25', 0, 1.25, 0.125, null, null, 10, 'gemini-2025-09-25'),
        ('gemini', 'gemini-2.5-pro', '2025-09-25', 200000, 2.5, 0.25, null, null, 15, 'gemini-2025-09-25-above-200k'),
        ('gemini', 'gemini-2.5-flash', '2025-09-25', 0, 0.3, 0.03, null, null, 2.5, 'gemini-2025-09-25'),
        ('gemini', 'gemini-2.5-flash-preview-09-2025', '2025-09-25', 0, 0.3, 0.03, null, null, 2.5, 'gemini-2025-09-25'),
        ('openai', 'gpt-5', '2025-08-07', 0, 1.25, 0.125, null, null, 10, 'openai-2025-08-07'),
        ('openai', 'gpt-5-mini', '2025-08-07', 0, 0.25, 0.025, null, null, 2, 'openai-2025-08-07')
    ) as listed (
        provider, model_name, valid_from, tier_above_input_tokens,
        input_price, cache_read_price, cache_write_price, hour_cache_write_price, output_price, price_version
    )
{%- endmacro %}

{% macro cost_of(tokens, price) -%}
    {#- Of a kind of tokens that was not used the price need not be known. -#}
    case when {{ tokens }} = 0 then 0 else {{ tokens }} * {{ price }} end
{%- endmacro %}
