with predictions as (

    select * from {{ ref('int_predictions_ordered') }}

),

intervals as (

    select * from {{ ref('int_forecast_intervals_scored') }}

),

forecasters as (

    select * from {{ ref('int_forecasters') }}

),

-- What one model of an experiment forecast is expected of each of them.
points as (

    select distinct
        experiment_id,
        unique_id,
        cutoff_at,
        cutoff_key,
        horizon,
        target_at
    from predictions

),

duplicates as (

    select
        model_id,
        unique_id,
        cutoff_key,
        horizon,
        target_at,
        count(*) as duplicate_rows
    from predictions
    where position_in_level > 1
    group by model_id, unique_id, cutoff_key, horizon, target_at

),

outcomes as (

    select
        points.experiment_id,
        forecasters.model_id,
        forecasters.model_name,
        forecasters.model_type,
        points.unique_id,
        points.cutoff_at,
        points.cutoff_key,
        points.horizon,
        points.target_at,
        predictions.predicted_value,
        predictions.known_actual_value as actual_value,
        predictions.scale_mae,
        predictions.scale_mse,
        coalesce(duplicates.duplicate_rows, 0) as duplicate_rows,
        intervals.confidence_level,
        intervals.is_covered,
        intervals.interval_width,
        intervals.winkler_score,
        intervals.pinball_loss,
        case
            when predictions.model_id is null then 'missing_prediction'
            when predictions.known_actual_value is null then 'missing_actual'
            when
                {{ is_usable('predictions.predicted_value') }} and {{ is_usable('predictions.known_actual_value') }}
                then 'evaluated'
            else 'unusable'
        end as outcome
    from points
    inner join forecasters on points.experiment_id = forecasters.experiment_id
    left join predictions
        on
            forecasters.model_id = predictions.model_id
            and points.unique_id = predictions.unique_id
            and points.cutoff_key = predictions.cutoff_key
            and points.horizon = predictions.horizon
            and points.target_at = predictions.target_at
            and predictions.position_in_point = 1
    left join duplicates
        on
            forecasters.model_id = duplicates.model_id
            and points.unique_id = duplicates.unique_id
            and points.cutoff_key = duplicates.cutoff_key
            and points.horizon = duplicates.horizon
            and points.target_at = duplicates.target_at
    left join intervals
        on
            forecasters.model_id = intervals.model_id
            and points.unique_id = intervals.unique_id
            and points.cutoff_key = intervals.cutoff_key
            and points.horizon = intervals.horizon
            and points.target_at = intervals.target_at
            and intervals.confidence_level = intervals.widest_level

),

errors as (

    select
        *,
        case when outcome = 'evaluated' then predicted_value - actual_value end as forecast_error,
        case when outcome = 'evaluated' then abs(predicted_value - actual_value) end as absolute_error,
        case when outcome = 'evaluated' then abs(actual_value) end as absolute_actual,
        case when outcome = 'evaluated' then abs(predicted_value) + abs(actual_value) end as absolute_total
    from outcomes

),

scored as (

    select
        *,
        case when outcome = 'evaluated' then {{ square('forecast_error') }} end as squared_error,
        case when absolute_total < 1e-100 then 0 else {{ ratio('2 * absolute_error', 'absolute_total') }} end as symmetric_error
    from errors

),

compared as (

    select
        scored.*,
        case when {{ is_usable('scale_mae') }} then {{ ratio('absolute_error', 'scale_mae') }} end as scaled_absolute_error,
        case when {{ is_usable('scale_mse') }} then {{ ratio('squared_error', 'scale_mse') }} end as scaled_squared_error,
        first_value(
            case when scored.model_type = 'SeasonalNaive' then scored.absolute_error end
        ) over baseline_first as baseline_absolute_error,
        first_value(
            case when scored.model_type = 'SeasonalNaive' then scored.squared_error end
        ) over baseline_first as baseline_squared_error
    from scored
    window baseline_first as (
        partition by experiment_id, unique_id, cutoff_key, horizon, target_at
        order by case when model_type = 'SeasonalNaive' and outcome = 'evaluated' then 0 else 1 end nulls last, model_id nulls last
    )

),

final as (

    select
        *,
        case when baseline_absolute_error is not null then absolute_error end as compared_absolute_error,
        case when absolute_error is not null then baseline_absolute_error end as comparing_absolute_error,
        case when baseline_squared_error is not null then squared_error end as compared_squared_error,
        case when squared_error is not null then baseline_squared_error end as comparing_squared_error
    from compared

)

select * from final
