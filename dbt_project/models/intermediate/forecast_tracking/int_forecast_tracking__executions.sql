with runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

experiments as (

    select * from {{ ref('stg_forecast_tracking__experiments') }}

),

system_logs as (

    select * from {{ ref('stg_forecast_tracking__system_logs') }}

),

last_errors as (

    select
        run_id,
        {{ last_in_order('log_message', 'logged_at nulls last, log_id nulls last', 'true') }} as error_message
    from system_logs
    where log_level in ('ERROR', 'CRITICAL')
    group by run_id

),

timed as (

    select
        *,
        {{ run_duration_seconds() }} as duration_seconds
    from runs

),

final as (

    select
        'forecast_tracking' as system_name,
        cast(timed.run_id as {{ type_text() }}) as execution_id,
        cast(timed.parent_run_id as {{ type_text() }}) as parent_execution_id,
        cast(timed.experiment_id as {{ type_text() }}) as group_id,
        cast(experiments.experiment_name as {{ type_text() }}) as group_name,
        'training_run' as execution_kind,
        cast(timed.run_name as {{ type_text() }}) as execution_name,
        cast(timed.user_id as {{ type_text() }}) as started_by,
        case timed.status
            when 'scheduled' then 'queued'
            when 'running' then 'running'
            when 'completed' then 'succeeded'
            when 'failed' then 'failed'
            when 'killed' then 'cancelled'
            else 'unknown'
        end as status,
        cast(timed.status as {{ type_text() }}) as source_status,
        last_errors.error_message,
        timed.deleted_at is not null as is_deleted,
        timed.duration_seconds,
        timed.started_at,
        timed.ended_at
    from timed
    left join experiments on timed.experiment_id = experiments.experiment_id
    left join last_errors on timed.run_id = last_errors.run_id

)

select * from final
