with job_runs as (

    select * from {{ ref('int_job_runs_described') }}

),

users as (

    select * from {{ ref('stg_materials_jobs__users') }}

),

final as (

    select
        'materials_jobs' as system_name,
        cast(job_runs.job_run_id as {{ type_text() }}) as execution_id,
        cast(null as {{ type_text() }}) as parent_execution_id,
        cast(job_runs.project_id as {{ type_text() }}) as group_id,
        cast(job_runs.project_name as {{ type_text() }}) as group_name,
        'simulation_run' as execution_kind,
        cast(job_runs.job_name as {{ type_text() }}) as execution_name,
        cast(users.username as {{ type_text() }}) as started_by,
        case job_runs.status
            when 'queued' then 'queued'
            when 'running' then 'running'
            when 'success' then 'succeeded'
            when 'failed' then 'failed'
            else 'unknown'
        end as status,
        cast(job_runs.status as {{ type_text() }}) as source_status,
        cast(job_runs.error_message as {{ type_text() }}) as error_message,
        false as is_deleted,
        job_runs.wall_time_seconds as duration_seconds,
        job_runs.started_at,
        job_runs.ended_at
    from job_runs
    left join users on job_runs.user_id = users.id

)

select * from final
