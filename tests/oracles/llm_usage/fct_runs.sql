select
    'llm_usage:' || tenant_id || ':' || key as execution_key,
    'llm_usage' as system_name,
    tenant_id || ':' || key as execution_id,
    tenant_id || ':' || parent as parent_execution_id,
    tenant_id as group_id,
    tenant_id as group_name,
    kind as execution_kind,
    name as execution_name,
    null as started_by,
    status,
    source_status,
    null as error_class,
    false as is_deleted,
    coalesce(status = 'running' and %(now)s::timestamptz at time zone 'UTC' - started_at > interval '24 hours', false) as is_zombie,
    seconds as duration_seconds,
    started_at,
    ended_at,
    started_at::date as started_on
from (
    select tenant_id, run_id::text, null, 'llm_run', null, status, source_status, wall_seconds, started_at, ended_at from runs
    union all
    select
        tenant_id,
        step_id::text,
        run_id::text,
        'llm_step',
        step,
        status,
        source_status,
        latency_seconds,
        started_at,
        completed_at
    from steps
) as executions (tenant_id, key, parent, kind, name, status, source_status, seconds, started_at, ended_at)
