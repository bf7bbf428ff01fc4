{% macro materials_jobs__executions() -%}
    {{ ref('int_materials_jobs__executions') }}
{%- endmacro %}
