with runs as (

    select * from {{ ref('stg_pipe_service__pipeline_runs') }}

),

pipelines as (

    select * from {{ ref('stg_pipe_service__pipelines') }}

),

final as (

    select
        'pipe_service' as system_name,
        runs.run_id,
        runs.pipeline_id,
        cast(runs.run_id as {{ type_text() }}) as execution_id,
        cast(null as {{ type_text() }}) as parent_execution_id,
        cast(runs.pipeline_id as {{ type_text() }}) as group_id,
        cast(pipelines.pipeline_name as {{ type_text() }}) as group_name,
        'pipeline_run' as execution_kind,
        cast(pipelines.pipeline_name as {{ type_text() }}) as execution_name,
        cast(runs.created_by as {{ type_text() }}) as started_by,
        case runs.status
            when 'queued' then 'queued'
            when 'running' then 'running'
            when 'completed' then 'succeeded'
            when 'failed' then 'failed'
            when 'cancelled' then 'cancelled'
            else 'unknown'
        end as status,
        cast(runs.status as {{ type_text() }}) as source_status,
        cast(runs.error_message as {{ type_text() }}) as error_message,
        false as is_deleted,
        {{ seconds_between('runs.started_at', 'runs.ended_at') }} as duration_seconds,
        {{ utc('runs.started_at') }} as started_at,
        {{ utc('runs.ended_at') }} as ended_at
    from runs
    left join pipelines on runs.pipeline_id = pipelines.pipeline_id

)

select * from final
