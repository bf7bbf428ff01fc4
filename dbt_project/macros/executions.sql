{#
    Executions: what fct_runs holds of every system. Each system brings, in folders of its own, a macro <system>__executions that names the
    relation with its executions, of the same columns, and a model touched_<system>__executions with those that have changed.
#}

{% macro systems_with_executions() %}
    {# What models there are is not known while they are parsed; what macros there are is. #}
    {% set systems = [] %}
    {% for name in context.keys() | sort if name.endswith('__executions') and context[name].macro is defined and context[name].macro.package_name == project_name %}
        {% do systems.append(name.removesuffix('__executions')) %}
    {% endfor %}
    {# dbt keeps what it has parsed, also when another macro comes; but it parses again what has read a variable of the environment that changes. #}
    {% do env_var('RUNMART_PROJECT_FILES', '') %}
    {% if execute and model.resource_type == 'model' %}
        {% for system in systems if system ~ '__executions' not in model.depends_on.nodes | join(' ') %}
            {% do exceptions.raise_compiler_error(
                model.name ~ ' was parsed before there was a macro ' ~ system ~ '__executions: run `dbt parse --no-partial-parse`, and this again.'
            ) %}
        {% endfor %}
    {% endif %}
    {% do return(systems) %}
{% endmacro %}

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
    {#- Without source_id and source_group_id, which have another type in each system. -#}
    {%- for system in systems %}
    select
        system_name,
        execution_id,
        parent_execution_id,
        group_id,
        group_name,
        execution_kind,
        execution_name,
        started_by,
        status,
        source_status,
        is_deleted,
        duration_seconds,
        started_at,
        ended_at
    from {{ context[system ~ '__executions']() }}
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
