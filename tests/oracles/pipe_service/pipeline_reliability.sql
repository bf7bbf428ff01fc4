-- Runs follow each other by their start; of two that started at the same moment the one with the greater id is the later one.
with

runs as (
    select
        id,
        pipeline_id,
        status,
        started_at,
        completed_at,
        extract(epoch from completed_at - started_at)::double precision as duration_seconds,
        (started_at at time zone 'UTC')::date as started_on,
        (completed_at at time zone 'UTC')::date as completed_on
    from pipeline_runs
),

ended as (
    select * from runs where status in ('completed', 'failed')
),

-- Successes right after a failure, each with the first failure after the success before it.
recoveries as (
    select
        success.id,
        success.pipeline_id,
        success.started_at,
        success.started_on,
        success.completed_on,
        last_failure.started_at as failed_at,
        extract(epoch from success.completed_at - first_failure.started_at)::double precision as seconds_to_recovery
    from ended as success
    cross join lateral (
        select *
        from ended as earlier
        where earlier.pipeline_id = success.pipeline_id and (earlier.started_at, earlier.id) < (success.started_at, success.id)
        order by earlier.started_at desc, earlier.id desc
        limit 1
    ) as last_failure
    cross join lateral (
        select min(failure.started_at) as started_at
        from ended as failure
        where
            failure.pipeline_id = success.pipeline_id
            and failure.status = 'failed'
            and (failure.started_at, failure.id) <= (last_failure.started_at, last_failure.id)
            and not exists (
                select 1
                from ended as between_them
                where
                    between_them.pipeline_id = success.pipeline_id
                    and between_them.status = 'completed'
                    and (between_them.started_at, between_them.id) > (failure.started_at, failure.id)
                    and (between_them.started_at, between_them.id) < (success.started_at, success.id)
            )
    ) as first_failure
    where success.status = 'completed' and last_failure.status = 'failed'
),

days as (
    select distinct pipeline_id, started_on from runs
)

select
    pipelines.id as pipeline_id,
    pipelines.name as pipeline_name,
    pipelines.organization_id,
    (select name from organizations where id = pipelines.organization_id) as organization_name,
    days.started_on,
    of_the_day.total_runs,
    of_the_day.succeeded_runs,
    of_the_day.failed_runs,
    of_the_day.cancelled_runs,
    of_the_day.running_runs,
    of_the_day.queued_runs,
    of_the_day.unknown_runs,
    of_the_day.succeeded_runs::double precision / nullif(of_the_day.succeeded_runs + of_the_day.failed_runs, 0) as success_rate,
    of_the_day.duration_p50_seconds,
    of_the_day.duration_p95_seconds,
    of_the_day.duration_p50_seconds / nullif(before.duration_p50_seconds, 0) as duration_p50_ratio,
    of_the_day.duration_p95_seconds / nullif(before.duration_p95_seconds, 0) as duration_p95_ratio,
    (
        select extract(epoch from max(started_at) - min(started_at))::double precision / nullif(count(*) - 1, 0)
        from ended
        where pipeline_id = days.pipeline_id and status = 'failed' and started_on between days.started_on - 29 and days.started_on
    ) as seconds_between_failures,
    (
        select avg(seconds_to_recovery)
        from recoveries
        where pipeline_id = days.pipeline_id and completed_on between days.started_on - 29 and days.started_on
    ) as seconds_to_recovery,
    (
        select count(*)
        from ended as failure
        where
            failure.pipeline_id = days.pipeline_id
            and failure.status = 'failed'
            and failure.started_on <= days.started_on
            and not exists (
                select 1
                from ended as success
                where
                    success.pipeline_id = days.pipeline_id
                    and success.status = 'completed'
                    and success.started_on <= days.started_on
                    and (success.started_at, success.id) > (failure.started_at, failure.id)
            )
    ) as consecutive_failures,
    (
        select count(*)
        from recoveries
        where
            pipeline_id = days.pipeline_id
            and started_on = days.started_on
            and not (pipelines.updated_at >= failed_at and pipelines.updated_at <= started_at)
    ) as flaky_runs
from days
inner join pipelines on days.pipeline_id = pipelines.id
cross join lateral (
    select
        count(*) as total_runs,
        count(*) filter (where status = 'completed') as succeeded_runs,
        count(*) filter (where status = 'failed') as failed_runs,
        count(*) filter (where status = 'cancelled') as cancelled_runs,
        count(*) filter (where status = 'running') as running_runs,
        count(*) filter (where status = 'queued') as queued_runs,
        count(*) filter (where status not in ('completed', 'failed', 'cancelled', 'running', 'queued')) as unknown_runs,
        percentile_cont(0.5) within group (order by duration_seconds) as duration_p50_seconds,
        percentile_cont(0.95) within group (order by duration_seconds) as duration_p95_seconds
    from runs
    where runs.pipeline_id = days.pipeline_id and runs.started_on = days.started_on
) as of_the_day
cross join lateral (
    select
        percentile_cont(0.5) within group (order by duration_seconds) as duration_p50_seconds,
        percentile_cont(0.95) within group (order by duration_seconds) as duration_p95_seconds
    from runs
    where runs.pipeline_id = days.pipeline_id and runs.started_on between days.started_on - 30 and days.started_on - 1
) as before
