{#
    Executions: what fct_runs holds of every system. Each system brings a model int_<system>__executions of the same columns, and a model
    touched_<system>__executions with those that have changed.
#}

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

{% macro touched_executions_of(systems) -%}
    {%- for system in systems %}
    select * from {{ ref('int_' ~ system ~ '__executions') }}
    where {{ is_touched(system ~ '__executions', 'source_id') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro is_zombie(at=none) -%}
    status = 'running'
    and {{ seconds_between('started_at', at or refresh_started_at()) }} > {{ var('zombie_after_hours') }} * 3600
{%- endmacro %}

{% macro new_zombies(system) -%}
    {%- if refresh_under_way()['is_full'] -%}
    select cast(null as {{ type_text() }}) as execution_id
    where false
    {%- else -%}
    select execution_id
    from analytics.fct_runs
    where
        system_name = '{{ system }}'
        and {{ is_zombie() }}
        and not ({{ is_zombie("cast('" ~ refresh_under_way()['seen_at'] ~ "' as " ~ type_timestamp_ntz() ~ ')') }})
    {%- endif -%}
{%- endmacro %}
