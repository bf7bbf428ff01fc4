with job_runs as (

    select * from {{ ref('int_job_runs_described') }}

),

users as (

    select * from {{ ref('stg_materials_jobs__users') }}

),

final as (

    select
        job_runs.job_run_id,
        job_runs.job_id,
        job_runs.job_name,
        job_runs.job_type,
        job_runs.project_id,
        job_runs.project_name,
        users.username as started_by,
        job_runs.run_number,
        job_runs.exit_code,
        job_runs.error_message,
        job_runs.queued_at,
        job_runs.started_at,
        job_runs.ended_at,
        job_runs.wall_time_seconds,
        {{ refresh_columns() }}
    from job_runs
    left join users on job_runs.user_id = users.id
    where
        job_runs.status = 'failed'
        and job_runs.has_project
        and {{ hours_after('job_runs.queued_at', recent_failure_hours()) }} >= {{ refresh_started_at() }}

)

select * from final
