-- Years that dim_date must gain or lose.
with wanted as (

    select year_number from {{ ref('int_calendar_years') }}

),

published as (

    {{ published_values('dim_date', 'year_number', 'integer') }}

),

final as (

    select
        coalesce(wanted.year_number, published.year_number) as year_number,
        cast(null as bigint) as batch_id
    from wanted
    full outer join published on wanted.year_number = published.year_number
    where
        wanted.year_number is null
        or published.year_number is null

)

select * from final
