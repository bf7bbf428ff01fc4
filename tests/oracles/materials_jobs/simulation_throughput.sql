with runs as (
    select
        run.*,
        (run.created_at at time zone 'UTC')::date as queued_on,
        job.project_id,
        job.type as job_type,
        extract(epoch from run.started_at - run.created_at)::double precision as queue_wait,
        extract(epoch from run.finished_at - run.started_at)::double precision as wall_time
    from app.job_runs as run
    inner join app.jobs as job on job.id = run.job_id
),

durations as (
    select queued_on, project_id, job_type, 'queue_wait' as measure, queue_wait as seconds from runs
    union all
    select queued_on, project_id, job_type, 'wall_time', wall_time from runs
),

ranked as (
    select
        durations.*,
        row_number() over (partition by queued_on, project_id, job_type, measure order by seconds) - 1 as rank,
        count(*) over (partition by queued_on, project_id, job_type, measure) - 1 as last_rank
    from durations
    where seconds is not null
),

-- A percentile lies between two neighbours: each weighs the more, the nearer its rank is.
weighted as (
    select
        ranked.*,
        seconds * greatest(0, 1 - abs(rank - 0.5 * last_rank)) as share_of_p50,
        seconds * greatest(0, 1 - abs(rank - 0.95 * last_rank)) as share_of_p95
    from ranked
),

groups as (
    select distinct queued_on, project_id, job_type
    from runs
)

select
    one.queued_on,
    one.project_id,
    (select p.name from app.projects as p where p.id = one.project_id) as project_name,
    one.job_type,
    counts.*,
    percentiles.*,
    written.*
from groups as one
cross join lateral (
    select
        count(*) as run_count,
        count(*) filter (where r.status = 'queued') as queued_runs,
        count(*) filter (where r.status = 'running') as running_runs,
        count(*) filter (where r.status = 'success') as succeeded_runs,
        count(*) filter (where r.status = 'failed') as failed_runs,
        count(*) filter (where r.status not in ('queued', 'running', 'success', 'failed')) as unknown_runs,
        count(*) filter (where r.exit_code = 0) as exit_zero_runs,
        count(*) filter (where r.exit_code > 0) as exit_error_runs,
        count(*) filter (where r.exit_code < 0) as killed_runs,
        count(distinct r.job_id) as job_count,
        count(*) filter (where r.run_number > 1) as repeated_runs,
        count(*)::double precision / count(distinct r.job_id) as attempts_per_job
    from runs as r
    where (r.queued_on, r.project_id, r.job_type) = (one.queued_on, one.project_id, one.job_type)
) as counts
cross join lateral (
    select
        sum(w.share_of_p50) filter (where w.measure = 'queue_wait') as queue_wait_p50_seconds,
        sum(w.share_of_p95) filter (where w.measure = 'queue_wait') as queue_wait_p95_seconds,
        sum(w.share_of_p50) filter (where w.measure = 'wall_time') as wall_time_p50_seconds,
        sum(w.share_of_p95) filter (where w.measure = 'wall_time') as wall_time_p95_seconds,
        sum(w.seconds) filter (where w.measure = 'wall_time') as wall_time_total_seconds
    from weighted as w
    where (w.queued_on, w.project_id, w.job_type) = (one.queued_on, one.project_id, one.job_type)
) as percentiles
cross join lateral (
    select
        count(*) as result_files,
        coalesce(sum(f.size_bytes), 0)::bigint as result_bytes
    from app.files as f
    inner join runs as r on (r.id, r.created_at) = (f.job_run_id, f.job_run_created_at)
    where (r.queued_on, r.project_id, r.job_type) = (one.queued_on, one.project_id, one.job_type)
) as written
