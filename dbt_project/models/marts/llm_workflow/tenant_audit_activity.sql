with logs as (

    select
        *,
        {{ utc_date('created_at') }} as logged_on
    from {{ ref('stg_llm_workflow__audit_logs') }}

),

final as (

    select
        logged_on,
        action,
        resource_type,
        count(*) as events,
        count(distinct user_id) as active_users,
        min(created_at) as first_at,
        max(created_at) as last_at,
        {{ refresh_columns() }}
    from logs
    group by logged_on, action, resource_type

)

select * from final
