with predictions as (

    select * from {{ ref('int_predictions_parsed') }}

),

final as (

    select
        experiment_id,
        model_id,
        model_name,
        model_type,
        cutoff_key,
        max(confidence_level) as widest_level
    from predictions
    group by experiment_id, model_id, model_name, model_type, cutoff_key

)

select * from final
