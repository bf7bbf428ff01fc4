with published as (

    select * from {{ ref('model_performance') }}

),

final as (

    select
        *,
        refreshed_at as valid_from,
        cast(null as timestamp with time zone) as valid_to
    from published

)

select * from final
