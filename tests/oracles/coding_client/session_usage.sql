with quotas as (
    select
        id as user_id,
        case
            when
                jsonb_typeof(resource_quota -> 'max_sessions') = 'number'
                and pg_input_is_valid(resource_quota ->> 'max_sessions', 'double precision')
                then (resource_quota ->> 'max_sessions')::double precision
        end as max_sessions
    from users
)

select
    session.session_id,
    session.user_id,
    session.project_id,
    session.name as session_name,
    session.status as source_status,
    session.created_at at time zone 'UTC' as created_at,
    session.last_accessed at time zone 'UTC' as last_accessed_at,
    extract(epoch from session.last_accessed - session.created_at)::double precision as used_seconds,
    session.total_tokens_used as used_tokens,
    (select count(*) from file_operations as o where o.session_id = session.session_id) as file_operation_count,
    (
        select count(*) from file_operations as o
        where o.session_id = session.session_id and (o.success is null or not o.success)
    ) as failed_operation_count,
    (select count(distinct o.file_path) from file_operations as o where o.session_id = session.session_id) as file_count,
    (select count(*) from notification_history as n where n.session_id = session.session_id) as notification_count,
    (select count(*) from sessions as s where s.user_id = session.user_id) as user_session_count,
    open.session_count as user_open_session_count,
    quota.max_sessions as user_max_sessions,
    open.session_count > quota.max_sessions as is_user_over_quota
from sessions as session
inner join quotas as quota on session.user_id = quota.user_id
cross join lateral (
    select count(*) as session_count
    from sessions as s
    where s.user_id = session.user_id and s.status in ('starting', 'running', 'stopping')
) as open
