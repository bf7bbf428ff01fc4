with sessions_of_days as (
    select user_id, (created_at at time zone 'UTC')::date as active_on
    from sessions
),

operations_of_days as (
    select user_id, (created_at at time zone 'UTC')::date as active_on, operation_type, success, file_path
    from file_operations
),

syncs_of_days as (
    select executed_by as user_id, (created_at at time zone 'UTC')::date as active_on, lines_added, lines_deleted
    from worktree_sync_history
),

active_days as (
    select user_id, active_on from sessions_of_days
    union
    select user_id, active_on from operations_of_days
    union
    select user_id, active_on from syncs_of_days
)

select
    day.user_id,
    day.active_on,
    (
        select count(*) from sessions_of_days as s
        where s.user_id = day.user_id and s.active_on = day.active_on
    ) as session_count,
    operations.*,
    syncs.*
from active_days as day
cross join lateral (
    select
        count(*) as file_operation_count,
        count(*) filter (where o.operation_type = 'create') as create_count,
        count(*) filter (where o.operation_type = 'update') as update_count,
        count(*) filter (where o.operation_type = 'delete') as delete_count,
        count(*) filter (where o.success is not true) as failed_operation_count,
        count(distinct o.file_path) as file_count
    from operations_of_days as o
    where o.user_id = day.user_id and o.active_on = day.active_on
) as operations
cross join lateral (
    select
        count(*) as sync_count,
        sum(s.lines_added) as lines_added,
        sum(s.lines_deleted) as lines_deleted
    from syncs_of_days as s
    where s.user_id = day.user_id and s.active_on = day.active_on
) as syncs
where day.user_id is not null and day.active_on is not null
