with executions as (
    select
        session.*,
        case session.status
            when 'starting' then 'queued'
            when 'running' then 'running'
            when 'stopping' then 'running'
            when 'stopped' then 'paused'
            when 'error' then 'failed'
            else 'unknown'
        end as common_status,
        session.created_at at time zone 'UTC' as started_at,
        case when session.status in ('stopped', 'error') then session.last_accessed at time zone 'UTC' end as ended_at
    from sessions as session
)

select
    'coding_client:' || id as execution_key,
    'coding_client' as system_name,
    id::text as execution_id,
    null::text as parent_execution_id,
    project_id::text as group_id,
    (select p.name from projects as p where p.id = execution.project_id) as group_name,
    'coding_session' as execution_kind,
    name as execution_name,
    (select u.username from users as u where u.id = execution.user_id) as started_by,
    common_status as status,
    status as source_status,
    null::text as error_class,
    false as is_deleted,
    coalesce(common_status = 'running' and created_at < %(now)s - interval '24 hours', false) as is_zombie,
    extract(epoch from ended_at - started_at)::double precision as duration_seconds,
    started_at,
    ended_at,
    started_at::date as started_on
from executions as execution
