{#
    Executions: what fct_runs holds of every system. Each system brings a model int_<system>__executions of the same columns.
#}

{% macro executions_of(systems) -%}
    {%- for system in systems %}
    select * from {{ ref('int_' ~ system ~ '__executions') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro is_zombie() -%}
    status = 'running'
    and {{ hours_after('started_at', var('zombie_after_hours')) }} < {{ refresh_started_at() }}
{%- endmacro %}
