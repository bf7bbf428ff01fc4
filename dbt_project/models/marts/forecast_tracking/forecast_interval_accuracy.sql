with intervals as (

    select * from {{ ref('int_forecast_intervals_scored') }}

),

rolled_up as (

    select
        {{ accuracy_rollup_level() }} as rollup_level,
        experiment_id,
        model_id,
        unique_id,
        cutoff_at,
        horizon,
        confidence_level,
        count(*) as expected_points,
        {{ interval_errors() }}
    from intervals
    group by {{ accuracy_rollups(['experiment_id', 'model_id', 'confidence_level']) }}

),

final as (

    select
        rolled_up.*,
        {{ refresh_columns() }}
    from rolled_up

)

select * from final
