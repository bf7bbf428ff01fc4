with notifications as (

    select * from {{ ref('stg_coding_client__notification_history') }}

),

due as (

    select
        *,
        coalesce(scheduled_at, created_at) as due_at
    from notifications

),

timed as (

    select
        *,
        {{ utc_date(utc('due_at')) }} as scheduled_on,
        case when status = 'sent' then {{ seconds_between('due_at', 'sent_at') }} end as delay_seconds
    from due

),

final as (

    select
        scheduled_on,
        service_type,
        count(*) as notification_count,
        sum(case when status = 'sent' then 1 else 0 end) as sent_count,
        sum(case when status = 'failed' then 1 else 0 end) as failed_count,
        sum(case when retry_count > 0 then 1 else 0 end) as retried_count,
        sum(retry_count) as retry_count,
        percentile_cont(0.5) within group (order by delay_seconds nulls last) as p50_delay_seconds,
        percentile_cont(0.95) within group (order by delay_seconds nulls last) as p95_delay_seconds,
        {{ refresh_columns() }}
    from timed
    group by scheduled_on, service_type

)

select * from final
