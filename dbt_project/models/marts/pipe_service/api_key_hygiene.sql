with api_keys as (

    select
        api_key_id,
        organization_id,
        api_key_name,
        {{ utc('created_at') }} as created_at,
        {{ utc('last_used_at') }} as last_used_at,
        {{ utc('expires_at') }} as expires_at
    from {{ ref('stg_pipe_service__api_keys') }}

),

organizations as (

    select * from {{ ref('stg_pipe_service__organizations') }}

),

judged as (

    select
        *,
        coalesce(expires_at < {{ refresh_started_at() }}, false) as is_expired,
        last_used_at is null as is_never_used,
        {{ hours_after('coalesce(last_used_at, created_at)', 90 * 24) }} < {{ refresh_started_at() }} as is_unused_for_90_days
    from api_keys

),

final as (

    select
        judged.api_key_id,
        judged.api_key_name,
        judged.organization_id,
        organizations.organization_name,
        judged.is_expired,
        judged.is_never_used,
        judged.is_unused_for_90_days,
        judged.expires_at is null as is_without_expiry,
        judged.created_at,
        judged.last_used_at,
        judged.expires_at,
        {{ refresh_columns() }}
    from judged
    left join organizations on judged.organization_id = organizations.organization_id

)

select * from final
