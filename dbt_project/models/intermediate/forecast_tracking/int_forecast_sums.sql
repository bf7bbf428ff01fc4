with points as (

    select * from {{ ref('int_forecast_points_scored') }}

),

-- Which models were evaluated at a point: a digest of their keys tells sets of models apart.
evaluated as (

    select
        unique_id,
        cutoff_key,
        experiment_id,
        horizon,
        target_at,
        count(*) as models_at_point,
        max(case when model_type = 'SeasonalNaive' then 1 else 0 end) as has_baseline,
        md5({{ list_in_order('model_id', 'model_id nulls last') }}) as models_key
    from points
    where outcome = 'evaluated'
    group by experiment_id, unique_id, cutoff_key, horizon, target_at

),

compared as (

    select
        points.*,
        evaluated.models_at_point,
        evaluated.has_baseline,
        coalesce(evaluated.models_key, '') as models_key
    from points
    left join evaluated
        on
            points.outcome = 'evaluated'
            and points.experiment_id = evaluated.experiment_id
            and points.unique_id = evaluated.unique_id
            and points.cutoff_key = evaluated.cutoff_key
            and points.horizon = evaluated.horizon
            and points.target_at = evaluated.target_at

),

final as (

    select
        case when grouping(horizon) = 0 then 'horizon' else 'series' end as sum_level,
        experiment_id,
        model_id,
        cutoff_key,
        unique_id,
        horizon,
        models_key,
        max(models_at_point) as models_at_point,
        max(has_baseline) as has_baseline,
        {{ first_in_order('horizon', 'horizon nulls last, target_at nulls last', 'models_at_point is not null') }} as first_horizon,
        {{ first_in_order('target_at', 'horizon nulls last, target_at nulls last', 'models_at_point is not null') }} as first_evaluated_at,
        {{ point_sums() }},
        max(confidence_level) as confidence_level,
        {{ interval_sums() }}
    from compared
    group by grouping sets (
        (experiment_id, model_id, cutoff_key, unique_id, models_key),
        (experiment_id, model_id, cutoff_key, horizon)
    )

)

select * from final
