{% macro coding_client__executions() -%}
    {{ ref('int_coding_client__executions') }}
{%- endmacro %}
