with bounds as (
    select
        date_trunc('hour', min(created_at) at time zone 'UTC') as first_hour,
        date_trunc('hour', max(created_at) at time zone 'UTC') as last_hour
    from system_logs
),

hours as (
    select generate_series(first_hour, last_hour, interval '1 hour') as logged_hour
    from bounds
)

select
    hours.logged_hour,
    line.level as log_level,
    line.module,
    count(*) as line_count,
    count(*) / 60.0::double precision as lines_per_minute
from hours
inner join system_logs as line
    on line.created_at >= hours.logged_hour at time zone 'UTC'
    and line.created_at < (hours.logged_hour + interval '1 hour') at time zone 'UTC'
group by hours.logged_hour, line.level, line.module
