{#
    Tokens of calls of language models, from what providers report in shapes of their own.
#}

{% macro token_usage(relation, column) -%}
    {#- Where each count stands: in which part of the report, or in the report itself, and under which key. -#}
    {%- set parts = {
        'prompt_details': 'prompt_tokens_details', 'completion_details': 'completion_tokens_details',
        'input_details': 'input_tokens_details', 'output_details': 'output_tokens_details', 'writing_details': 'cache_creation',
    } %}
    {%- set counts = {
        'input': ('report', 'input_tokens'),
        'output': ('report', 'output_tokens'),
        'prompt': ('report', 'prompt_tokens'),
        'completion': ('report', 'completion_tokens'),
        'cache_read': ('report', 'cache_read_input_tokens'),
        'cache_creation': ('report', 'cache_creation_input_tokens'),
        'hour_creation': ('writing_details', 'ephemeral_1h_input_tokens'),
        'prompt_cached': ('prompt_details', 'cached_tokens'),
        'prompt_creation': ('prompt_details', 'cache_creation_tokens'),
        'input_cached': ('input_details', 'cached_tokens'),
        'completion_reasoning': ('completion_details', 'reasoning_tokens'),
        'output_reasoning': ('output_details', 'reasoning_tokens'),
        'gemini_prompt': ('report', 'promptTokenCount'),
        'gemini_tool_use': ('report', 'toolUsePromptTokenCount'),
        'gemini_candidates': ('report', 'candidatesTokenCount'),
        'gemini_cached': ('report', 'cachedContentTokenCount'),
        'gemini_thoughts': ('report', 'thoughtsTokenCount'),
    } %}
    {%- set has_cache_counts -%}
        ({{ json_has('report', 'cache_read_input_tokens') }} or {{ json_has('report', 'cache_creation_input_tokens') }})
    {%- endset %}
    select
        *,
        case when reported_shape is not null and not is_understood then 'unknown' else reported_shape end as usage_shape,
        case when is_understood then whole_input - read_input - written_input end as input_tokens,
        case when is_understood then read_input end as cache_read_tokens,
        case when is_understood then written_input end as cache_write_tokens,
        case when is_understood then hour_creation end as hour_cache_write_tokens,
        case when is_understood then whole_output - coalesce(reasoning, 0) end as output_tokens,
        case when is_understood then reasoning end as reasoning_tokens
    from (
        {#- Parts that are larger than the whole belong to a shape that nobody knows here. -#}
        select
            *,
            coalesce(
                is_well_formed and read_input + written_input <= whole_input and coalesce(reasoning, 0) <= whole_output
                and coalesce(hour_creation, 0) <= written_input,
                false
            ) as is_understood
        from (
            {#- A count that is left out is none; only of reasoning it means that nobody tells. -#}
            select
                *,
                case reported_shape
                    when 'anthropic' then input_count + coalesce(cache_read_count, 0) + coalesce(cache_creation_count, 0)
                    when 'openai_responses' then input_count
                    when 'openai_chat' then prompt_count
                    when 'litellm' then prompt_count
                    when 'gemini' then gemini_prompt_count + coalesce(gemini_tool_use_count, 0)
                end as whole_input,
                case reported_shape
                    when 'anthropic' then coalesce(cache_read_count, 0)
                    when 'openai_responses' then coalesce(input_cached_count, 0)
                    when 'openai_chat' then coalesce(prompt_cached_count, 0)
                    when 'litellm' then coalesce(cache_read_count, prompt_cached_count, 0)
                    when 'gemini' then coalesce(gemini_cached_count, 0)
                end as read_input,
                case reported_shape
                    when 'anthropic' then coalesce(cache_creation_count, 0)
                    when 'litellm' then coalesce(cache_creation_count, prompt_creation_count, 0)
                    else 0
                end as written_input,
                case when reported_shape = 'anthropic' then hour_creation_count end as hour_creation,
                case reported_shape
                    when 'anthropic' then output_count
                    when 'openai_responses' then output_count
                    when 'openai_chat' then completion_count
                    when 'litellm' then completion_count
                    when 'gemini' then coalesce(gemini_candidates_count, 0) + coalesce(gemini_thoughts_count, 0)
                end as whole_output,
                case reported_shape
                    when 'openai_responses' then output_reasoning_count
                    when 'openai_chat' then completion_reasoning_count
                    when 'litellm' then completion_reasoning_count
                    when 'gemini' then coalesce(gemini_thoughts_count, 0)
                end as reasoning
            from (
                {#- The shape is that of the one name by which a report calls all input. -#}
                select
                    *,
                    case
                        when {{ column }} is null then null
                        when {{ json_has('report', 'promptTokenCount') }}
                            then case when has_prompt or has_input then 'unknown' else 'gemini' end
                        when has_prompt and has_input then 'unknown'
                        when has_prompt
                            then
                                case
                                    when {{ has_cache_counts }} or {{ json_has('prompt_details', 'cache_creation_tokens') }} then 'litellm'
                                    else 'openai_chat'
                                end
                        when has_input and has_details_of_responses
                            then case when {{ has_cache_counts }} then 'unknown' else 'openai_responses' end
                        when has_input then 'anthropic'
                        else 'unknown'
                    end as reported_shape,
                    {%- for name, (part, key) in counts.items() %}
                    {{ json_count(part, key) }} as {{ name }}_count,
                    {%- endfor %}
                    {%- for name, key in parts.items() %}
                    (not {{ json_has('report', key) }} or {{ name }} is not null) and
                    {%- endfor %}
                    {%- for name, (part, key) in counts.items() %}
                    (not {{ json_has(part, key) }} or {{ json_count(part, key) }} is not null) {{ 'and' if not loop.last }}
                    {%- endfor %} as is_well_formed
                from (
                    select
                        *,
                        {{ json_has('report', 'prompt_tokens') }} as has_prompt,
                        {{ json_has('report', 'input_tokens') }} as has_input,
                        {{ json_has('report', 'input_tokens_details') }} or {{ json_has('report', 'output_tokens_details') }}
                        or {{ json_has('report', 'total_tokens') }} as has_details_of_responses,
                        {%- for name, key in parts.items() %}
                        {{ json_object('report', key) }} as {{ name }}{{ ',' if not loop.last }}
                        {%- endfor %}
                    from (
                        {#- Each report of a streamed answer counts all so far: the last one counts. -#}
                        select
                            *,
                            {{ json_last(column) }} as report
                        from {{ relation }}
                        {{ computed_once() }}
                    ) as reports
                    {{ computed_once() }}
                ) as taken_apart
                {{ computed_once() }}
            ) as counted
            {{ computed_once() }}
        ) as wholes
        {{ computed_once() }}
    ) as understood
{%- endmacro %}
