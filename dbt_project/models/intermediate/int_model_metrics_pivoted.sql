with statistics as (

    {{ metric_statistics(['model_id']) }}

),

final as (

    select
        model_id,
        {{- pivot_statistics() }}
    from statistics
    where model_id is not null
    group by model_id

)

select * from final
