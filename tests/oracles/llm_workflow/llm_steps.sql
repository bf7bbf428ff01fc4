-- Shapes are told by what the APIs document, prices are those of the providers' pages.
with prices (model, provider, since, above, input, read, write, hour_write, output, version) as (
    values
    ('claude-opus-4-1', 'claude', timestamp '2025-08-05', 0, 15.00, 1.50, 18.75, 30.00, 75.00, 'claude-2025-08-05'),
    ('claude-sonnet-4-5', 'claude', '2025-09-29', 0, 3.00, 0.30, 3.75, 6.00, 15.00, 'claude-2025-09-29'),
    ('claude-sonnet-4-5', 'claude', '2025-09-29', 200000, 6.00, 0.60, 7.50, 12.00, 22.50, 'claude-2025-09-29-above-200k'),
    ('gemini-2.5-pro', 'gemini', '2025-09-25', 0, 1.25, 0.125, null, null, 10.00, 'gemini-2025-09-25'),
    ('gemini-2.5-pro', 'gemini', '2025-09-25', 200000, 2.50, 0.25, null, null, 15.00, 'gemini-2025-09-25-above-200k'),
    ('gemini-2.5-flash', 'gemini', '2025-09-25', 0, 0.30, 0.03, null, null, 2.50, 'gemini-2025-09-25'),
    ('gemini-2.5-flash-preview-09-2025', 'gemini', '2025-09-25', 0, 0.30, 0.03, null, null, 2.50, 'gemini-2025-09-25'),
    ('gpt-5', 'openai', '2025-08-07', 0, 1.25, 0.125, null, null, 10.00, 'openai-2025-08-07'),
    ('gpt-5-mini', 'openai', '2025-08-07', 0, 0.25, 0.025, null, null, 2.00, 'openai-2025-08-07')
),

reports as (
    select
        id,
        case
            when jsonb_typeof(usage) = 'object' then usage
            else '{}'
        end as report
    from steps
    cross join lateral (
        select case jsonb_typeof(token_usage) when 'array' then token_usage -> (jsonb_array_length(token_usage) - 1) else token_usage end
    ) as last_one (usage)
    where token_usage is not null
),

counts as (
    select
        reports.id,
        jsonb_object_agg(array_to_string(place, '.'), value) filter (where is_count) as n,
        bool_or(jsonb_typeof(value) <> 'null' and not is_count) as is_odd
    from reports
    cross join unnest(array[
        'input_tokens', 'output_tokens', 'prompt_tokens', 'completion_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens',
        'cache_creation.ephemeral_1h_input_tokens', 'prompt_tokens_details.cached_tokens', 'prompt_tokens_details.cache_creation_tokens',
        'input_tokens_details.cached_tokens', 'completion_tokens_details.reasoning_tokens', 'output_tokens_details.reasoning_tokens',
        'promptTokenCount', 'toolUsePromptTokenCount', 'candidatesTokenCount', 'cachedContentTokenCount', 'thoughtsTokenCount'
    ]) as path
    cross join lateral (select string_to_array(path, '.') as place) as split
    cross join lateral (select report #> place as value) as found
    cross join lateral (
        select coalesce(jsonb_typeof(value) = 'number' and value::text ~ '^[0-9]{1,15}(\.0+)?$', false) as is_count
    ) as judged
    group by reports.id
),

known as (
    select
        reports.id,
        coalesce(counts.n, '{}') as n,
        array(select key from jsonb_each(report) where value <> 'null') as keys,
        counts.is_odd or exists (
            select from jsonb_each(report)
            where
                key ~ '^((prompt|completion|input|output)_tokens_details|cache_creation)$'
                and jsonb_typeof(value) not in ('object', 'null')
        ) as is_odd
    from reports
    inner join counts on reports.id = counts.id
),

-- What each API counts: all input with what of it was read from and written to a cache, all output with what of it was reasoning.
told as (
    select
        known.id,
        shape.*
    from known
    cross join lateral (
        select
            'anthropic' as shape,
            (n ->> 'input_tokens')::bigint + coalesce((n ->> 'cache_read_input_tokens')::bigint, 0)
            + coalesce((n ->> 'cache_creation_input_tokens')::bigint, 0) as whole_input,
            coalesce((n ->> 'cache_read_input_tokens')::bigint, 0) as cached,
            coalesce((n ->> 'cache_creation_input_tokens')::bigint, 0) as written,
            coalesce((n ->> 'cache_creation.ephemeral_1h_input_tokens')::bigint, 0) as hour_written,
            (n ->> 'output_tokens')::bigint as whole_output,
            null::bigint as reasoning
        where not keys && array['input_tokens_details', 'output_tokens_details', 'total_tokens']
        union all
        select
            'openai_responses',
            (n ->> 'input_tokens')::bigint,
            coalesce((n ->> 'input_tokens_details.cached_tokens')::bigint, 0),
            0,
            0,
            (n ->> 'output_tokens')::bigint,
            (n ->> 'output_tokens_details.reasoning_tokens')::bigint
        where
            keys && array['input_tokens_details', 'output_tokens_details', 'total_tokens']
            and not keys && array['cache_read_input_tokens', 'cache_creation_input_tokens']
        union all
        select
            case
                when
                    keys && array['cache_read_input_tokens', 'cache_creation_input_tokens']
                    or n ? 'prompt_tokens_details.cache_creation_tokens'
                    then 'litellm'
                else 'openai_chat'
            end,
            (n ->> 'prompt_tokens')::bigint,
            coalesce((n ->> 'cache_read_input_tokens')::bigint, (n ->> 'prompt_tokens_details.cached_tokens')::bigint, 0),
            coalesce((n ->> 'cache_creation_input_tokens')::bigint, (n ->> 'prompt_tokens_details.cache_creation_tokens')::bigint, 0),
            0,
            (n ->> 'completion_tokens')::bigint,
            (n ->> 'completion_tokens_details.reasoning_tokens')::bigint
        union all
        select
            'gemini',
            (n ->> 'promptTokenCount')::bigint + coalesce((n ->> 'toolUsePromptTokenCount')::bigint, 0),
            coalesce((n ->> 'cachedContentTokenCount')::bigint, 0),
            0,
            0,
            coalesce((n ->> 'candidatesTokenCount')::bigint, 0) + coalesce((n ->> 'thoughtsTokenCount')::bigint, 0),
            coalesce((n ->> 'thoughtsTokenCount')::bigint, 0)
    ) as shape
    where
        not is_odd
        -- One API calls its input by one name.
        and cardinality(array(select unnest(keys) intersect select unnest(array['input_tokens', 'prompt_tokens', 'promptTokenCount']))) = 1
        and cached + written <= whole_input
        and hour_written <= written
        and coalesce(reasoning, 0) <= whole_output
),

classes as (
    select
        *,
        whole_input - cached - written as fresh,
        whole_output - coalesce(reasoning, 0) as said
    from told
),

paid as (
    select
        step.id,
        price.version,
        (
            classes.fresh * price.input
            + case when classes.cached > 0 then classes.cached * price.read else 0 end
            + case when classes.written > classes.hour_written then (classes.written - classes.hour_written) * price.write else 0 end
            + case when classes.hour_written > 0 then classes.hour_written * price.hour_write else 0 end
            + classes.whole_output * price.output
        ) / 1000000 as cost
    from steps as step
    inner join classes on step.id = classes.id
    cross join lateral (
        select * from prices
        where prices.model = step.llm_model and prices.since <= step.started_at and (prices.above = 0 or classes.whole_input > prices.above)
        order by prices.since desc, prices.above desc
        limit 1
    ) as price
),

-- The first line that is not blank.
lines as (
    select
        id,
        (
            select btrim(line, E' \t\r')
            from regexp_split_to_table(error_message, '\n') with ordinality as split (line, number)
            where btrim(line, E' \t\r') <> ''
            order by number
            limit 1
        ) as line
    from steps
),

-- Identifiers before numbers, which they are partly made of: UUIDs, what begins with 0x, and twelve hexadecimal digits or more.
without_uuids as (
    select id, regexp_replace(line, '\m[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\M', '<id>', 'gi') as line from lines
),

without_addresses as (
    select id, regexp_replace(line, '\m0x[0-9a-f]+\M', '<id>', 'gi') as line from without_uuids
),

without_digests as (
    select id, regexp_replace(line, '\m(?=[a-f]*[0-9])[0-9a-f]{12,}\M', '<id>', 'gi') as line from without_addresses
),

without_times as (
    select
        id,
        regexp_replace(
            line,
            '\m\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[-+]\d\d(?::?\d\d)?|Z)?)?\M|\m\d{8}T\d{6}Z?\M',
            '<time>',
            'gi'
        ) as line
    from without_digests
),

-- A number that is part of a word or of a version is none.
errors as (
    select id, left(regexp_replace(line, '(?<![\w.])[-+]?(\d+([.,]\d+)*|\.\d+)(e[-+]?\d+)?(?!\w)', '<number>', 'gi'), 200) as error_class
    from without_times
)

select
    step.id as step_id,
    step.run_id,
    step.step,
    coalesce(word.status, 'unknown') as status,
    step.status as source_status,
    (select distinct prices.provider from prices where prices.model = step.llm_model) as provider,
    step.llm_model,
    step.prompt_version,
    errors.error_class,
    step.retry_count,
    step.started_at,
    step.completed_at,
    extract(epoch from step.completed_at - step.started_at)::double precision as latency_seconds,
    case when step.token_usage is not null then coalesce(classes.shape, 'unknown') end as usage_shape,
    classes.fresh as input_tokens,
    classes.cached as cache_read_tokens,
    classes.written as cache_write_tokens,
    classes.said as output_tokens,
    classes.reasoning as reasoning_tokens,
    case when paid.cost is not null then paid.version end as price_version,
    paid.cost::numeric(38, 12) as cost_usd,
    (paid.cost * (step.status = 'failed' or step.retry_count > 0)::integer)::numeric(38, 12) as wasted_cost_usd
from steps as step
inner join errors on step.id = errors.id
left join classes on step.id = classes.id
left join paid on step.id = paid.id
left join (
    values ('pending', 'queued'), ('running', 'running'), ('paused', 'paused'), ('completed', 'succeeded'), ('failed', 'failed'),
    ('skipped', 'cancelled')
) as word (source_status, status) on step.status = word.source_status
