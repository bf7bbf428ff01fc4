with job_runs as (

    select * from {{ ref('int_job_runs_described') }}

),

final as (

    select
        'materials_jobs' as system_name,
        cast(job_run_id as {{ type_text() }}) as execution_id,
        cast(null as {{ type_text() }}) as parent_execution_id,
        cast(project_id as {{ type_text() }}) as group_id,
        cast(project_name as {{ type_text() }}) as group_name,
        'simulation_run' as execution_kind,
        cast(job_name as {{ type_text() }}) as execution_name,
        cast(started_by as {{ type_text() }}) as started_by,
        case status
            when 'queued' then 'queued'
            when 'running' then 'running'
            when 'success' then 'succeeded'
            when 'failed' then 'failed'
            else 'unknown'
        end as status,
        cast(status as {{ type_text() }}) as source_status,
        cast(error_message as {{ type_text() }}) as error_message,
        false as is_deleted,
        wall_time_seconds as duration_seconds,
        started_at,
        ended_at
    from job_runs

)

select * from final
