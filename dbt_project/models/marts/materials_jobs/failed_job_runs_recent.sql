with job_runs as (

    select * from {{ ref('int_job_runs_described') }}

),

final as (

    select
        job_run_id,
        job_id,
        job_name,
        job_type,
        project_id,
        project_name,
        started_by,
        run_number,
        exit_code,
        error_message,
        queued_at,
        started_at,
        ended_at,
        wall_time_seconds,
        {{ refresh_columns() }}
    from job_runs
    where
        status = 'failed'
        and has_project
        and {{ hours_after('queued_at', recent_failure_hours()) }} >= {{ refresh_started_at() }}

)

select * from final
