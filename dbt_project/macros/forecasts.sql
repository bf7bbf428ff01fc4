{#
    Forecast accuracy: each formula once. f is the forecast, y the actual value, over evaluated points (see int_forecast_points_scored).
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

{% macro mean_over_points(value) -%}
    {{ aggregate_in_order('avg', value, order_of_points()) }}
{%- endmacro %}

{% macro sum_over_points(value) -%}
    {{ aggregate_in_order('sum', value, order_of_points()) }}
{%- endmacro %}

{% macro order_of_points() -%}
    unique_id nulls last, cutoff_key nulls last, horizon nulls last, target_at nulls last
{%- endmacro %}

{% macro interval_errors() -%}
        count(winkler_score) as interval_points,
        avg(cast(case when is_covered then 1 when not is_covered then 0 end as {{ type_double() }})) as interval_coverage,
        {{ mean_over_points('interval_width') }} as interval_width,
        {{ mean_over_points('winkler_score') }} as winkler_score,
        {{ mean_over_points('pinball_loss') }} as pinball_loss
{%- endmacro %}

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

{% macro accuracy_rollup_level() -%}
    case
        when grouping(cutoff_at) = 0 and grouping(horizon) = 0 then 'point'
        when grouping(cutoff_at) = 0 then 'cutoff'
        when grouping(unique_id) = 0 then 'series'
        when grouping(horizon) = 0 then 'horizon'
        else 'model'
    end
{%- endmacro %}
