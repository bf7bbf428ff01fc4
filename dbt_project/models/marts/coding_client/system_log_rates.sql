with logged as (

    select * from {{ ref('stg_coding_client__system_logs') }}

),

timed as (

    select
        *,
        date_trunc('hour', {{ utc('logged_at') }}) as logged_hour
    from logged

),

final as (

    select
        logged_hour,
        level as log_level,
        module,
        count(*) as line_count,
        cast(count(*) as {{ type_double() }}) / 60 as lines_per_minute,
        {{ refresh_columns() }}
    from timed
    group by logged_hour, level, module

)

select * from final
