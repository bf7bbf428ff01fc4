-- Of two runs that started at the same moment the one with the greater id is the later one.
with

ended as (
    select * from pipeline_runs where status in ('completed', 'failed')
),

last_runs as (
    select distinct on (pipeline_id) * from pipeline_runs order by pipeline_id, started_at desc, id desc
),

last_successes as (
    select distinct on (pipeline_id) * from ended where status = 'completed' order by pipeline_id, started_at desc, id desc
),

-- A pipeline that never succeeded has been failing since its first failure.
failures_since as (
    select
        failures.pipeline_id,
        count(*) as consecutive_failures,
        min(failures.started_at) as failing_since
    from ended as failures
    left join last_successes on failures.pipeline_id = last_successes.pipeline_id
    where
        failures.status = 'failed'
        and (last_successes.id is null or (failures.started_at, failures.id) > (last_successes.started_at, last_successes.id))
    group by failures.pipeline_id
)

select
    pipelines.id as pipeline_id,
    pipelines.name as pipeline_name,
    pipelines.organization_id,
    organizations.name as organization_name,
    pipelines.status as pipeline_status,
    (select count(*) from pipeline_runs where pipeline_id = pipelines.id) as total_runs,
    (select count(*) from pipeline_runs where pipeline_id = pipelines.id and status = 'running') as running_runs,
    (select count(*) from pipeline_runs where pipeline_id = pipelines.id and status = 'queued') as queued_runs,
    last_runs.id as last_run_id,
    replace(last_runs.status, 'completed', 'succeeded') as last_run_status,
    last_runs.started_at at time zone 'UTC' as last_run_started_at,
    case
        when failures_since.pipeline_id is not null then 'failing'
        when last_successes.id is not null then 'healthy'
        else 'unknown'
    end as health,
    coalesce(failures_since.consecutive_failures, 0) as consecutive_failures,
    failures_since.failing_since at time zone 'UTC' as failing_since,
    (
        select avg((status = 'completed')::int::double precision)
        from (select status from ended where pipeline_id = pipelines.id order by started_at desc, id desc limit 10) as last_ten
    ) as recent_success_rate,
    (
        select max(completed_at) at time zone 'UTC' from ended where pipeline_id = pipelines.id and status = 'completed'
    ) as last_success_at,
    (
        select max(completed_at) at time zone 'UTC' from ended where pipeline_id = pipelines.id and status = 'failed'
    ) as last_failure_at
from pipelines
left join organizations on pipelines.organization_id = organizations.id
left join last_runs on pipelines.id = last_runs.pipeline_id
left join last_successes on pipelines.id = last_successes.pipeline_id
left join failures_since on pipelines.id = failures_since.pipeline_id
