-- How a job stands is told by its newest run. One without a run is pending, unless somebody has written another status by hand.
with jobs as (
    select
        job.project_id,
        job.created_at,
        coalesce(
            (select r.status from app.job_runs as r where r.job_id = job.id order by r.run_number desc limit 1),
            job.status
        ) as status
    from app.jobs as job
)

select
    project.id as project_id,
    project.name as project_name,
    (select u.username from app.users as u where u.id = project.owner_id) as owner_name,
    project.is_public,
    (select count(*) from jobs as j where j.project_id = project.id) as job_count,
    (select count(*) from jobs as j where j.project_id = project.id and j.status in ('pending', 'queued')) as pending_jobs,
    (select count(*) from jobs as j where j.project_id = project.id and j.status = 'running') as running_jobs,
    (select count(*) from jobs as j where j.project_id = project.id and j.status = 'success') as succeeded_jobs,
    (select count(*) from jobs as j where j.project_id = project.id and j.status = 'failed') as failed_jobs,
    (select max(j.created_at) from jobs as j where j.project_id = project.id) at time zone 'UTC' as last_job_created_at
from app.projects as project
