with job_runs as (

    select * from {{ ref('stg_materials_jobs__job_runs') }}

),

jobs as (

    select * from {{ ref('stg_materials_jobs__jobs') }}

),

projects as (

    select * from {{ ref('stg_materials_jobs__projects') }}

),

final as (

    select
        job_runs.id as job_run_id,
        job_runs.created_at as job_run_created_at,
        job_runs.job_id,
        jobs.name as job_name,
        jobs.type as job_type,
        {{ json_text('jobs.parameters', 'material') }} as material_external_id,
        {{ json_text('jobs.parameters', 'task') }} as task_name,
        jobs.project_id,
        projects.id is not null as has_project,
        projects.name as project_name,
        jobs.created_by as user_id,
        job_runs.run_number,
        job_runs.status,
        job_runs.exit_code,
        {{ json_text('job_runs.metadata', 'error') }} as error_message,
        {{ utc('job_runs.created_at') }} as queued_at,
        {{ utc('job_runs.started_at') }} as started_at,
        {{ utc('job_runs.finished_at') }} as ended_at,
        {{ seconds_between('job_runs.created_at', 'job_runs.started_at') }} as queue_wait_seconds,
        {{ seconds_between('job_runs.started_at', 'job_runs.finished_at') }} as wall_time_seconds
    from job_runs
    left join jobs on job_runs.job_id = jobs.id
    left join projects on jobs.project_id = projects.id

)

select * from final
