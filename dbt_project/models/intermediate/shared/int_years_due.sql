-- Time alone makes the calendar longer: when a year begins.
with years as (

    select {{ utc_now() }} as mentioned_at
    union all
    select {{ utc_now() }} + interval '1 year' as mentioned_at

),

final as (

    select date_trunc('year', mentioned_at) as due_at
    from years

)

select * from final
