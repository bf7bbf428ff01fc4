{{ history(of='model_performance', grouped_by=['model_id']) }}

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
