select
    day::date as logged_on,
    action,
    resource_type,
    count(*) as events,
    count(distinct user_id) as active_users,
    min(created_at) as first_at,
    max(created_at) as last_at
from audit_logs
cross join lateral date_trunc('day', created_at) as day
group by day, action, resource_type
