{#
    Forecast accuracy: each formula once. f is the forecast, y the actual value, over evaluated points (see int_forecast_points_scored).
    Errors are made of sums, and sums of all points of sums by cutoff: both are added up in one order, so that the same points give the same
    bits, whichever of them a refresh has added up anew.
#}

{% macro point_values() %}
    {% do return([
        'absolute_error', 'squared_error', 'forecast_error', 'absolute_actual', 'symmetric_error', 'scaled_absolute_error',
        'scaled_squared_error', 'compared_absolute_error', 'comparing_absolute_error', 'compared_squared_error', 'comparing_squared_error',
    ]) %}
{% endmacro %}

{% macro point_counts() %}
    {% do return([
        'expected_points', 'evaluated_points', 'missing_prediction_points', 'missing_actual_points', 'unusable_points', 'duplicate_rows',
        'scaled_points', 'scaled_squared_points', 'baseline_points',
    ]) %}
{% endmacro %}

{% macro interval_values() %}{% do return(['interval_width', 'winkler_score', 'pinball_loss']) %}{% endmacro %}

{% macro interval_counts() %}{% do return(['interval_points', 'covered_points']) %}{% endmacro %}

{% macro point_sums() -%}
        min(target_at) as first_target_at,
        max(target_at) as last_target_at,
        count(*) as expected_points,
        count(*) filter (where outcome = 'evaluated') as evaluated_points,
        count(*) filter (where outcome = 'missing_prediction') as missing_prediction_points,
        count(*) filter (where outcome = 'missing_actual') as missing_actual_points,
        count(*) filter (where outcome = 'unusable') as unusable_points,
        cast(sum(duplicate_rows) as bigint) as duplicate_rows,
        count(scaled_absolute_error) as scaled_points,
        count(scaled_squared_error) as scaled_squared_points,
        count(compared_absolute_error) as baseline_points,
        {{ sums_in_order(point_values(), 'unique_id nulls last, cutoff_key nulls last, horizon nulls last, target_at nulls last') }}
{%- endmacro %}

{% macro interval_sums() -%}
        count(winkler_score) as interval_points,
        count(*) filter (where is_covered) as covered_points,
        {{ sums_in_order(interval_values(), 'unique_id nulls last, cutoff_key nulls last, horizon nulls last, target_at nulls last') }}
{%- endmacro %}

{% macro sums_in_order(values, order_by) -%}
    {%- for value in values %}
        {{ aggregate_in_order('sum', value, order_by) }} as sum_of_{{ value }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro added_up(counts, values, order_by) -%}
    {%- for count in counts %}
        cast(sum({{ count }}) as bigint) as {{ count }},
    {%- endfor %}
    {%- for value in values %}
        {{ aggregate_in_order('sum', 'sum_of_' ~ value, order_by) }} as sum_of_{{ value }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro point_errors() -%}
        sum_of_absolute_error / nullif(evaluated_points, 0) as mae,
        sqrt(sum_of_squared_error / nullif(evaluated_points, 0)) as rmse,
        sum_of_forecast_error / nullif(evaluated_points, 0) as bias,
        {{ ratio('sum_of_absolute_error', 'sum_of_absolute_actual') }} as wape,
        sum_of_symmetric_error / nullif(evaluated_points, 0) as smape,
        sum_of_scaled_absolute_error / nullif(scaled_points, 0) as mase,
        sqrt(sum_of_scaled_squared_error / nullif(scaled_squared_points, 0)) as rmsse
{%- endmacro %}

{% macro accuracy() -%}
        first_target_at,
        last_target_at,
        expected_points,
        evaluated_points,
        missing_prediction_points,
        missing_actual_points,
        unusable_points,
        duplicate_rows,
        {{ point_errors() }},
        scaled_points,
        baseline_points,
        {{ ratio('sum_of_compared_absolute_error', 'sum_of_comparing_absolute_error') }} as relative_mae,
        sqrt({{ ratio('sum_of_compared_squared_error', 'sum_of_comparing_squared_error') }}) as relative_rmse,
        confidence_level,
        {{ interval_errors() }}
{%- endmacro %}

{% macro interval_errors() -%}
        interval_points,
        cast(covered_points as {{ type_double() }}) / nullif(interval_points, 0) as interval_coverage,
        sum_of_interval_width / nullif(interval_points, 0) as interval_width,
        sum_of_winkler_score / nullif(interval_points, 0) as winkler_score,
        sum_of_pinball_loss / nullif(interval_points, 0) as pinball_loss
{%- endmacro %}
