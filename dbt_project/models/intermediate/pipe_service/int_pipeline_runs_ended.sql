-- Cancelled runs say nothing of a pipeline: somebody ended them.
with runs as (

    select
        pipeline_id,
        run_id,
        status,
        started_at,
        ended_at,
        status = 'failed' as is_failure
    from {{ ref('int_pipe_service__executions') }}
    where status in ('succeeded', 'failed')

),

counted as (

    select
        *,
        row_number() over (partition by pipeline_id order by started_at nulls last, run_id nulls last) as run_number,
        sum(case when is_failure then 0 else 1 end) over (
            partition by pipeline_id order by started_at nulls last, run_id nulls last rows between unbounded preceding and current row
        ) as successes_so_far
    from runs

),

-- Failures in a row share the number of successes before them; the success itself begins the row.
final as (

    select
        *,
        sum(case when is_failure then 1 else 0 end) over (
            partition by pipeline_id, successes_so_far
            order by run_number nulls last rows between unbounded preceding and current row
        ) as consecutive_failures,
        min(case when is_failure then started_at end) over (
            partition by pipeline_id, successes_so_far
            order by run_number nulls last rows between unbounded preceding and current row
        ) as failing_since
    from counted

)

select * from final
