with predictions as (

    select * from {{ ref('int_predictions_parsed') }}

),

forecasters as (

    select * from {{ ref('int_forecasters') }}

),

-- A forecast with two intervals is two rows; one written again is a duplicate, of which the last counts. An actual value belongs to the
-- forecast time, so the last one known counts for all rows of a point.
final as (

    select
        predictions.*,
        forecasters.widest_level,
        row_number() over (
            partition by predictions.model_id, unique_id, cutoff_key, horizon, target_at
            order by prediction_id desc nulls first
        ) as position_in_point,
        row_number() over (
            partition by predictions.model_id, unique_id, cutoff_key, horizon, target_at, confidence_level
            order by prediction_id desc nulls first
        ) as position_in_level,
        first_value(actual_value) over (
            partition by predictions.model_id, unique_id, cutoff_key, horizon, target_at
            order by case when actual_value is null then 1 else 0 end nulls last, prediction_id desc nulls first
        ) as known_actual_value
    from predictions
    inner join forecasters on predictions.model_id = forecasters.model_id

)

select * from final
