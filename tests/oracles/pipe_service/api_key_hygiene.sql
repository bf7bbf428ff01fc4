select
    id as api_key_id,
    name as api_key_name,
    organization_id,
    (select name from organizations where organizations.id = api_keys.organization_id) as organization_name,
    coalesce(expires_at < %(now)s, false) as is_expired,
    last_used_at is null as is_never_used,
    %(now)s - coalesce(last_used_at, created_at) > interval '90 days' as is_unused_for_90_days,
    expires_at is null as is_without_expiry,
    created_at at time zone 'UTC' as created_at,
    last_used_at at time zone 'UTC' as last_used_at,
    expires_at at time zone 'UTC' as expires_at
from api_keys
