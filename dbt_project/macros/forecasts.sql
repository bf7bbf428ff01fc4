{#
    Forecast accuracy: each formula once. f is the forecast, y the actual value, over evaluated points (see int_forecast_points_scored).
#}

{#
    Aggregates over points.

    mae: mean |f - y|. rmse: root of the mean (f - y)^2. bias: mean f - y, positive if forecasts are too high. wape: sum |f - y| / sum |y|.
    smape: mean 2 |f - y| / (|f| + |y|), from 0 to 2, and 0 where both are zero. mase, rmsse: as mae and rmse, with each error divided by
    the in-sample error of the seasonal naive forecast of its series (over the points for which that is recorded).
#}
{% macro point_errors() -%}
        {{ mean_over_points('absolute_error') }} as mae,
        sqrt({{ mean_over_points('squared_error') }}) as rmse,
        {{ mean_over_points('forecast_error') }} as bias,
        {{ ratio(sum_over_points('absolute_error'), sum_over_points('absolute_actual')) }} as wape,
        {{ mean_over_points('symmetric_error') }} as smape,
        {{ mean_over_points('scaled_absolute_error') }} as mase,
        sqrt({{ mean_over_points('scaled_squared_error') }}) as rmsse
{%- endmacro %}

{# Points of one model are always added up in this order, so that the same points give the same bits. #}
{% macro mean_over_points(value) -%}
    {{ aggregate_in_order('avg', value, 'unique_id, cutoff_key, horizon, target_at') }}
{%- endmacro %}

{% macro sum_over_points(value) -%}
    {{ aggregate_in_order('sum', value, 'unique_id, cutoff_key, horizon, target_at') }}
{%- endmacro %}

{#
    Aggregates over intervals of one nominal level.

    interval_coverage: share of actual values within the bounds, bounds included. winkler_score: mean of width + 2 / (1 - level) times the
    distance by which the actual value lies outside. pinball_loss: mean of the pinball losses of both bounds, as quantiles
    (1 - level) / 2 and (1 + level) / 2.
#}
{% macro interval_errors() -%}
        count(winkler_score) as interval_points,
        avg(cast(case when is_covered then 1 when not is_covered then 0 end as {{ type_double() }})) as interval_coverage,
        {{ mean_over_points('interval_width') }} as interval_width,
        {{ mean_over_points('winkler_score') }} as winkler_score,
        {{ mean_over_points('pinball_loss') }} as pinball_loss
{%- endmacro %}

{# The rollups of the accuracy marts, from single forecasts to the model as a whole; keys are what every rollup keeps. #}
{% macro accuracy_rollups(keys) -%}
    {%- set kept = keys | join(', ') -%}
    grouping sets (
        ({{ kept }}, unique_id, cutoff_at, horizon),
        ({{ kept }}, unique_id, cutoff_at),
        ({{ kept }}, unique_id),
        ({{ kept }}, horizon),
        ({{ kept }})
    )
{%- endmacro %}

{# Which rollup a row belongs to. #}
{% macro accuracy_rollup_level() -%}
    case
        when grouping(cutoff_at) = 0 and grouping(horizon) = 0 then 'point'
        when grouping(cutoff_at) = 0 then 'cutoff'
        when grouping(unique_id) = 0 then 'series'
        when grouping(horizon) = 0 then 'horizon'
        else 'model'
    end
{%- endmacro %}
