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

final as (

    select
        *,
        -- Stands for "no cutoff" in joins, where null would equal nothing.
        coalesce(cutoff_at, cast('0001-01-01' as {{ type_timestamp_ntz() }})) as cutoff_key
    from parsed

)

select * from final
