with points as (

    select
        *,
        case when baseline_absolute_error is not null then absolute_error end as compared_absolute_error,
        case when absolute_error is not null then baseline_absolute_error end as comparing_absolute_error,
        case when baseline_squared_error is not null then squared_error end as compared_squared_error,
        case when squared_error is not null then baseline_squared_error end as comparing_squared_error
    from {{ ref('int_forecast_points_scored') }}

),

rolled_up as (

    select
        {{ accuracy_rollup_level() }} as rollup_level,
        experiment_id,
        model_id,
        unique_id,
        cutoff_at,
        horizon,
        min(target_at) as first_target_at,
        max(target_at) as last_target_at,
        count(*) as expected_points,
        count(*) filter (where outcome = 'evaluated') as evaluated_points,
        count(*) filter (where outcome = 'missing_prediction') as missing_prediction_points,
        count(*) filter (where outcome = 'missing_actual') as missing_actual_points,
        count(*) filter (where outcome = 'unusable') as unusable_points,
        cast(sum(duplicate_rows) as bigint) as duplicate_rows,
        {{ point_errors() }},
        count(scaled_absolute_error) as scaled_points,
        count(compared_absolute_error) as baseline_points,
        {{ ratio(sum_over_points('compared_absolute_error'), sum_over_points('comparing_absolute_error')) }} as relative_mae,
        sqrt({{ ratio(sum_over_points('compared_squared_error'), sum_over_points('comparing_squared_error')) }}) as relative_rmse,
        max(confidence_level) as confidence_level,
        {{ interval_errors() }}
    from points
    group by {{ accuracy_rollups(['experiment_id', 'model_id']) }}

),

final as (

    select
        rolled_up.*,
        {{ refresh_columns() }}
    from rolled_up

)

select * from final
