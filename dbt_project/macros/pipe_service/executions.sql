{% macro pipe_service__executions() -%}
    {{ ref('int_pipe_service__executions') }}
{%- endmacro %}
