with statistics as (

    {{ metric_statistics(['experiment_id']) }}

),

final as (

    select
        experiment_id,
        {{- pivot_statistics() }}
    from statistics
    where experiment_id is not null
    group by experiment_id

)

select * from final
