with runs as (

    select * from {{ ref('stg_llm_workflow__runs') }}

),

steps as (

    select * from {{ ref('int_llm_steps_priced') }}

),

files as (

    select * from {{ ref('stg_llm_workflow__artifacts') }}

),

read_files as (

    select * from {{ ref('int_llm_files_read') }}

),

step_totals as (

    select
        run_id,
        count(*) as steps_total,
        count(*) filter (where status in ('succeeded', 'cancelled')) as steps_done,
        count(*) filter (where status = 'failed') as steps_failed,
        cast(sum(retry_count) as bigint) as retries,
        max(ended_at) as last_step_ended_at,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(cache_read_tokens) as bigint) as cache_read_tokens,
        cast(sum(cache_write_tokens) as bigint) as cache_write_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(reasoning_tokens) as bigint) as reasoning_tokens,
        cast(sum(cost_usd) as numeric(38, 12)) as cost_usd,
        cast(sum(wasted_cost_usd) as numeric(38, 12)) as wasted_cost_usd,
        count(*) filter (where usage_shape is not null and cost_usd is null) as unpriced_steps
    from steps
    group by run_id

),

file_totals as (

    select
        files.run_id,
        count(*) as output_files,
        cast(sum(files.size_bytes) as bigint) as output_bytes,
        count(*) filter (where read_files.id is not null and read_files.problem is null) as digests_verified,
        count(*) filter (where read_files.problem is not null) as digests_wrong
    from files
    left join read_files on files.artifact_id = read_files.id
    group by files.run_id

),

timed as (

    select
        runs.*,
        -- The source has no end of a run: it ends with its last step. Its updated_at moves on when it is edited later.
        case when runs.status in ('completed', 'failed') then step_totals.last_step_ended_at end as ended_at,
        coalesce(step_totals.steps_total, 0) as steps_total,
        coalesce(step_totals.steps_done, 0) as steps_done,
        coalesce(step_totals.steps_failed, 0) as steps_failed,
        coalesce(step_totals.retries, 0) as retries,
        step_totals.input_tokens,
        step_totals.cache_read_tokens,
        step_totals.cache_write_tokens,
        step_totals.output_tokens,
        step_totals.reasoning_tokens,
        step_totals.cost_usd,
        step_totals.wasted_cost_usd,
        coalesce(step_totals.unpriced_steps, 0) as unpriced_steps
    from runs
    left join step_totals on runs.run_id = step_totals.run_id

),

final as (

    select
        timed.run_id,
        {{ llm_status('timed.status') }} as status,
        timed.status as source_status,
        timed.current_step,
        timed.created_at as started_at,
        timed.updated_at,
        timed.ended_at,
        {{ seconds_between('timed.created_at', 'timed.ended_at') }} as wall_seconds,
        timed.steps_total,
        timed.steps_done,
        timed.steps_failed,
        timed.retries,
        timed.input_tokens,
        timed.cache_read_tokens,
        timed.cache_write_tokens,
        timed.output_tokens,
        timed.reasoning_tokens,
        timed.cost_usd,
        timed.wasted_cost_usd,
        timed.unpriced_steps,
        coalesce(file_totals.output_files, 0) as output_files,
        coalesce(file_totals.output_bytes, 0) as output_bytes,
        coalesce(file_totals.digests_verified, 0) as digests_verified,
        coalesce(file_totals.digests_wrong, 0) as digests_wrong,
        {{ refresh_columns() }}
    from timed
    left join file_totals on timed.run_id = file_totals.run_id

)

select * from final
