with mentioned as (

    select
        min(started_on) as first_on,
        max(started_on) as last_on
    from {{ ref('fct_runs') }}
    union all
    select
        {{ utc_date('min(first_target_at)') }} as first_on,
        {{ utc_date('max(last_target_at)') }} as last_on
    from {{ ref('forecast_accuracy') }}
    where rollup_level = 'model'
    union all
    select
        {{ utc_date('min(valid_from)') }} as first_on,
        {{ utc_date('max(valid_from)') }} as last_on
    from {{ ref('registry_timeline') }}
    union all
    select
        {{ utc_date(refresh_started_at()) }} as first_on,
        {{ utc_date(refresh_started_at()) }} as last_on

),

bounds as (

    select
        cast(date_trunc('year', min(first_on)) as date) as first_day,
        cast(date_trunc('year', max(last_on)) + interval '1 year' - interval '1 day' as date) as last_day
    from mentioned

),

days as (

    {{ dates('bounds.first_day', 'bounds.last_day', 'bounds') }}

),

final as (

    select
        date_day,
        cast(extract(year from date_day) as integer) as year_number,
        cast(extract(quarter from date_day) as integer) as quarter_number,
        cast(extract(month from date_day) as integer) as month_number,
        {{ date_name('date_day', 'Month') }} as month_name,
        cast(extract(day from date_day) as integer) as day_of_month,
        {{ iso_weekday('date_day') }} as day_of_week,
        {{ date_name('date_day', 'Day') }} as day_name,
        cast(extract(week from date_day) as integer) as iso_week_number,
        {{ iso_year('date_day') }} as iso_year_number,
        {{ iso_weekday('date_day') }} in (6, 7) as is_weekend,
        cast(date_trunc('month', date_day) as date) as month_starts_on,
        cast(date_trunc('quarter', date_day) as date) as quarter_starts_on,
        cast(date_trunc('year', date_day) as date) as year_starts_on,
        {{ refresh_columns() }}
    from days

)

select * from final
