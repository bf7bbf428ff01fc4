with due as (
    select notification_history.*, case when scheduled_at is null then created_at else scheduled_at end as due_at
    from notification_history
),

delayed as (
    select
        (due_at at time zone 'UTC')::date as scheduled_on,
        service_type,
        status,
        retry_count,
        case when status = 'sent' then extract(epoch from sent_at - due_at)::double precision end as delay_seconds
    from due
),

counted as (
    select
        scheduled_on,
        service_type,
        count(*) as notification_count,
        count(*) filter (where status = 'sent') as sent_count,
        count(*) filter (where status = 'failed') as failed_count,
        count(*) filter (where retry_count > 0) as retried_count,
        sum(retry_count) as retry_count,
        array_agg(delay_seconds order by delay_seconds) filter (where delay_seconds is not null) as delays,
        count(delay_seconds) as delay_count
    from delayed
    group by scheduled_on, service_type
),

-- A percentile lies between the delays before and after its place, counted from 0.
placed as (
    select counted.*, (delay_count - 1) * 0.5::double precision as p50_place, (delay_count - 1) * 0.95::double precision as p95_place
    from counted
)

select
    scheduled_on,
    service_type,
    notification_count,
    sent_count,
    failed_count,
    retried_count,
    retry_count,
    delays[floor(p50_place)::integer + 1]
    + (p50_place - floor(p50_place)) * (delays[ceil(p50_place)::integer + 1] - delays[floor(p50_place)::integer + 1]) as p50_delay_seconds,
    delays[floor(p95_place)::integer + 1]
    + (p95_place - floor(p95_place)) * (delays[ceil(p95_place)::integer + 1] - delays[floor(p95_place)::integer + 1]) as p95_delay_seconds
from placed
