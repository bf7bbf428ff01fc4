{# The executions of systems, one after the other; each system brings a model int_<system>__executions of the same columns. #}
{% macro executions_of(systems) -%}
    {%- for system in systems %}
    select * from {{ ref('int_' ~ system ~ '__executions') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
