with runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

experiments as (

    select * from {{ ref('stg_forecast_tracking__experiments') }}

),

timed as (

    select
        *,
        coalesce(
            cast(execution_duration_seconds as {{ type_double() }}), {{ seconds_between('started_at', 'ended_at') }}
        ) as duration_seconds
    from runs

),

final as (

    select
        'forecast_tracking' as system_name,
        timed.run_id as source_id,
        timed.experiment_id as source_group_id,
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
        timed.deleted_at is not null as is_deleted,
        timed.duration_seconds,
        timed.started_at,
        timed.ended_at
    from timed
    left join experiments on timed.experiment_id = experiments.experiment_id

)

select * from final
