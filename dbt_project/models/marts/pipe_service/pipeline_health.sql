with pipelines as (

    select * from {{ ref('stg_pipe_service__pipelines') }}

),

organizations as (

    select * from {{ ref('stg_pipe_service__organizations') }}

),

executions as (

    select
        *,
        row_number() over (partition by pipeline_id order by started_at desc nulls last, run_id desc nulls last) as age
    from {{ ref('int_pipe_service__executions') }}

),

ended as (

    select
        *,
        row_number() over (partition by pipeline_id order by run_number desc nulls last) as age
    from {{ ref('int_pipeline_runs_ended') }}

),

run_totals as (

    select
        pipeline_id,
        count(*) as total_runs,
        count(*) filter (where status = 'running') as running_runs,
        count(*) filter (where status = 'queued') as queued_runs
    from executions
    group by pipeline_id

),

ended_totals as (

    select
        pipeline_id,
        max(ended_at) filter (where not is_failure) as last_success_at,
        max(ended_at) filter (where is_failure) as last_failure_at,
        cast(count(*) filter (where not is_failure and age <= 10) as {{ type_double() }})
        / nullif(count(*) filter (where age <= 10), 0) as recent_success_rate
    from ended
    group by pipeline_id

),

final as (

    select
        pipelines.pipeline_id,
        pipelines.pipeline_name,
        pipelines.organization_id,
        organizations.organization_name,
        pipelines.status as pipeline_status,
        coalesce(run_totals.total_runs, 0) as total_runs,
        coalesce(run_totals.running_runs, 0) as running_runs,
        coalesce(run_totals.queued_runs, 0) as queued_runs,
        executions.run_id as last_run_id,
        executions.status as last_run_status,
        executions.started_at as last_run_started_at,
        case
            when ended.pipeline_id is null then 'unknown'
            when ended.is_failure then 'failing'
            else 'healthy'
        end as health,
        coalesce(ended.consecutive_failures, 0) as consecutive_failures,
        ended.failing_since,
        ended_totals.recent_success_rate,
        ended_totals.last_success_at,
        ended_totals.last_failure_at,
        {{ refresh_columns() }}
    from pipelines
    left join organizations on pipelines.organization_id = organizations.organization_id
    left join run_totals on pipelines.pipeline_id = run_totals.pipeline_id
    left join executions on pipelines.pipeline_id = executions.pipeline_id and executions.age = 1
    left join ended on pipelines.pipeline_id = ended.pipeline_id and ended.age = 1
    left join ended_totals on pipelines.pipeline_id = ended_totals.pipeline_id

)

select * from final
