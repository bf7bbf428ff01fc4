select
    run.id as job_run_id,
    run.job_id,
    job.name as job_name,
    job.type as job_type,
    job.project_id,
    (select p.name from app.projects as p where p.id = job.project_id) as project_name,
    (select u.username from app.users as u where u.id = job.created_by) as started_by,
    run.run_number,
    run.exit_code,
    run.metadata ->> 'error' as error_message,
    run.created_at at time zone 'UTC' as queued_at,
    run.started_at at time zone 'UTC' as started_at,
    run.finished_at at time zone 'UTC' as ended_at,
    extract(epoch from run.finished_at - run.started_at)::double precision as wall_time_seconds
from app.job_runs as run
inner join app.jobs as job on job.id = run.job_id
where run.status = 'failed' and run.created_at >= %(now)s - interval '7 days'
