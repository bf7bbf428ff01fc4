with mentioned as (

    select {{ utc_date('first_run_started_at') }} as mentioned_on from {{ ref('experiment_summary') }}
    union all
    select {{ utc_date('last_run_started_at') }} as mentioned_on from {{ ref('experiment_summary') }}
    union all
    select {{ utc_date('first_target_at') }} as mentioned_on from {{ ref('forecast_accuracy') }}
    where rollup_level = 'model'
    union all
    select {{ utc_date('last_target_at') }} as mentioned_on from {{ ref('forecast_accuracy') }}
    where rollup_level = 'model'
    union all
    select {{ utc_date('valid_from') }} as mentioned_on from {{ ref('registry_timeline') }}
    union all
    select {{ utc_date(refresh_started_at()) }} as mentioned_on

),

bounds as (

    select
        cast(date_trunc('year', min(mentioned_on)) as date) as first_day,
        max(mentioned_on) as last_day
    from mentioned

),

years as (

    {{ dates('bounds.first_day', 'bounds.last_day', 'bounds', step='1 year') }}

),

final as (

    select
        cast(extract(year from date_day) as integer) as year_number,
        date_day as first_day,
        cast(date_day + interval '1 year' - interval '1 day' as date) as last_day
    from years

)

select * from final
