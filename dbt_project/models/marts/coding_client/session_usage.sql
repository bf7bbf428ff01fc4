with users as (

    select * from {{ ref('stg_coding_client__users') }}

),

sessions as (

    select * from {{ ref('stg_coding_client__sessions') }}

),

file_operations as (

    select * from {{ ref('stg_coding_client__file_operations') }}

),

notifications as (

    select * from {{ ref('stg_coding_client__notification_history') }}

),

operated as (

    select
        session_id,
        count(*) as file_operation_count,
        sum(case when is_successful then 0 else 1 end) as failed_operation_count,
        count(distinct file_path) as file_count
    from file_operations
    group by session_id

),

notified as (

    select
        session_id,
        count(*) as notification_count
    from notifications
    where session_id is not null
    group by session_id

),

loads as (

    select
        user_id,
        count(*) as user_session_count,
        sum(case when status in ('starting', 'running', 'stopping') then 1 else 0 end) as user_open_session_count
    from sessions
    group by user_id

),

final as (

    select
        sessions.session_id,
        sessions.user_id,
        sessions.project_id,
        sessions.name as session_name,
        sessions.status as source_status,
        {{ utc('sessions.created_at') }} as created_at,
        {{ utc('sessions.last_accessed_at') }} as last_accessed_at,
        {{ seconds_between('sessions.created_at', 'sessions.last_accessed_at') }} as used_seconds,
        sessions.total_tokens_used as used_tokens,
        coalesce(operated.file_operation_count, 0) as file_operation_count,
        coalesce(operated.failed_operation_count, 0) as failed_operation_count,
        coalesce(operated.file_count, 0) as file_count,
        coalesce(notified.notification_count, 0) as notification_count,
        loads.user_session_count,
        loads.user_open_session_count,
        {{ json_number('users.resource_quota', 'max_sessions') }} as user_max_sessions,
        loads.user_open_session_count > {{ json_number('users.resource_quota', 'max_sessions') }} as is_user_over_quota,
        {{ refresh_columns() }}
    from sessions
    inner join users on sessions.user_id = users.id
    inner join loads on sessions.user_id = loads.user_id
    left join operated on sessions.session_id = operated.session_id
    left join notified on sessions.session_id = notified.session_id

)

select * from final
