{#
    Executions: what fct_runs holds of every system. Each system brings a model int_<system>__executions of the same columns, and a model
    touched_<system>__executions with those that have changed.
#}

{# The names of the touched executions of systems, one after the other. #}
{% macro names_of_touched_executions(systems) -%}
    {%- for system in systems %}
    select
        system_name,
        execution_id,
        batch_id
    from {{ ref('touched_' ~ system ~ '__executions') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# The touched executions of systems, one after the other. #}
{% macro touched_executions_of(systems) -%}
    {%- for system in systems %}
    select * from {{ ref('int_' ~ system ~ '__executions') }}
    where {{ is_touched(system ~ '__executions', 'source_id') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Whether an execution says at a moment, that of this refresh if none is named, that it is running for so long that nobody believes it. #}
{% macro is_zombie(at=none) -%}
    status = 'running'
    and {{ seconds_between('started_at', at or refresh_started_at()) }} > {{ var('zombie_after_hours') }} * 3600
{%- endmacro %}

{# Executions that have become zombies since the last complete refresh: nothing about them has changed but the time. #}
{% macro new_zombies(system) -%}
    {%- if refresh_under_way()['is_full'] -%}
    select cast(null as text) as execution_id
    where false
    {%- else -%}
    select execution_id
    from analytics.fct_runs
    where
        system_name = '{{ system }}'
        and {{ is_zombie() }}
        and not ({{ is_zombie("cast('" ~ refresh_under_way()['seen_at'] ~ "' as timestamp)") }})
    {%- endif -%}
{%- endmacro %}
