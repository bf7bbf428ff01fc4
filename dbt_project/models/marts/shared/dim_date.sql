{{ mart(touched='calendar_years', grouped_by=['year_number'], indexes=[{'columns': ['date_day'], 'unique': true}]) }}

with years as (

    select * from {{ ref('int_calendar_years') }}
    where {{ is_touched('calendar_years', 'year_number') }}

),

days as (

    {{ dates('years.first_day', 'years.last_day', 'years') }}

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
        {{ refresh_columns(['forecast_tracking']) }}
    from days

)

select * from final
