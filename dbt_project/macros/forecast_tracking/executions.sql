{% macro forecast_tracking__executions() -%}
    {{ ref('int_forecast_tracking__executions') }}
{%- endmacro %}
