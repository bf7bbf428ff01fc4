with intervals as (

    select
        *,
        (1 - confidence_level) / 2 as lower_quantile,
        {{ is_usable('known_actual_value') }}
        and {{ is_usable('lower_bound') }}
        and {{ is_usable('upper_bound') }}
        and confidence_level > 0
        and confidence_level < 1 as is_scored
    from {{ ref('int_predictions_ordered') }}
    where
        position_in_level = 1
        and confidence_level is not null

),

bounded as (

    select
        *,
        case when is_scored then known_actual_value - lower_bound end as above_lower,
        case when is_scored then known_actual_value - upper_bound end as above_upper
    from intervals

),

final as (

    select
        experiment_id,
        model_id,
        model_name,
        model_type,
        unique_id,
        cutoff_at,
        cutoff_key,
        horizon,
        target_at,
        confidence_level,
        widest_level,
        case when is_scored then known_actual_value between lower_bound and upper_bound end as is_covered,
        case when is_scored then upper_bound - lower_bound end as interval_width,
        case
            when is_scored then upper_bound - lower_bound + (greatest(-above_lower, 0) + greatest(above_upper, 0)) / lower_quantile
        end as winkler_score,
        case
            when is_scored
                then (
                    greatest({{ product('lower_quantile', 'above_lower') }}, {{ product('(lower_quantile - 1)', 'above_lower') }})
                    + greatest({{ product('(1 - lower_quantile)', 'above_upper') }}, {{ product('-lower_quantile', 'above_upper') }})
                ) / 2
        end as pinball_loss
    from bounded

)

select * from final
