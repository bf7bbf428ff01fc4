{% macro forecast_tracking__executions() -%}
    {{ ref('int_forecast_tracking__executions') }}
{%- endmacro %}

{% macro run_duration_seconds() -%}
    coalesce(cast(execution_duration_seconds as {{ type_double() }}), {{ seconds_between('started_at', 'ended_at') }})
{%- endmacro %}
