with predictions as (

    select * from {{ ref('stg_forecast_tracking__predictions') }}

),

models as (

    select * from {{ ref('stg_forecast_tracking__models') }}

),

runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

experiments as (

    select * from {{ ref('stg_forecast_tracking__experiments') }}

),

parsed as (

    select
        predictions.prediction_id,
        predictions.model_id,
        runs.experiment_id,
        models.model_name,
        models.model_type,
        predictions.unique_id,
        {{ json_time('predictions.metadata', 'cutoff') }} as cutoff_at,
        predictions.horizon,
        predictions.target_at,
        predictions.predicted_value,
        predictions.actual_value,
        predictions.lower_bound,
        predictions.upper_bound,
        case
            when predictions.lower_bound is not null and predictions.upper_bound is not null
                then cast(predictions.confidence_level as {{ type_double() }})
        end as confidence_level,
        {{ json_number('predictions.metadata', 'scale_mae') }} as scale_mae,
        {{ json_number('predictions.metadata', 'scale_mse') }} as scale_mse
    from predictions
    inner join models on predictions.model_id = models.model_id
    inner join runs on models.run_id = runs.run_id
    left join experiments on runs.experiment_id = experiments.experiment_id
    where
        runs.deleted_at is null
        and experiments.deleted_at is null

),

keyed as (

    select
        *,
        -- Stands for "no cutoff" in joins, where null would equal nothing.
        coalesce(cutoff_at, cast('0001-01-01' as {{ type_timestamp_ntz() }})) as cutoff_key
    from parsed

),

-- A forecast with two intervals is two rows; one written again is a duplicate, of which the last counts. An actual value belongs to the
-- forecast time, so the last one known counts for all rows of a point.
final as (

    select
        *,
        row_number() over (
            partition by model_id, unique_id, cutoff_key, horizon, target_at
            order by prediction_id desc nulls first
        ) as position_in_point,
        row_number() over (
            partition by model_id, unique_id, cutoff_key, horizon, target_at, confidence_level
            order by prediction_id desc nulls first
        ) as position_in_level,
        first_value(actual_value) over (
            partition by model_id, unique_id, cutoff_key, horizon, target_at
            order by case when actual_value is null then 1 else 0 end nulls last, prediction_id desc nulls first
        ) as known_actual_value
    from keyed

)

select * from final
