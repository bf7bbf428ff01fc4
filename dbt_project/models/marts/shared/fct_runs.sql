with executions as (

    {{ executions_of(systems_with_executions()) }}

),

final as (

    select
        system_name || ':' || execution_id as execution_key,
        system_name,
        execution_id,
        parent_execution_id,
        group_id,
        group_name,
        execution_kind,
        execution_name,
        started_by,
        status,
        source_status,
        {{ error_class('error_message') }} as error_class,
        is_deleted,
        {{ is_zombie() }} as is_zombie,
        duration_seconds,
        started_at,
        ended_at,
        {{ utc_date('started_at') }} as started_on,
        {{ refresh_columns() }}
    from executions

)

select * from final
