with forecasters as (

    select * from {{ ref('int_forecasters_by_cutoff') }}

),

final as (

    select
        experiment_id,
        model_id,
        model_name,
        model_type,
        max(widest_level) as widest_level
    from forecasters
    group by experiment_id, model_id, model_name, model_type

)

select * from final
