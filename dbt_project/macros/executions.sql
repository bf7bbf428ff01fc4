{#
    Executions: what fct_runs holds of every system. Each system brings, in a folder of its own, a macro <system>__executions that names the
    relation with its executions, of the same columns, or unites those with rows of several tables.
#}

{% macro systems_with_executions() %}
    {# What models there are is not known while they are parsed; what macros there are is. #}
    {% set systems = [] %}
    {% for name in context.keys() | sort if name.endswith('__executions') and context[name].macro is defined and context[name].macro.package_name == project_name %}
        {% do systems.append(name.removesuffix('__executions')) %}
    {% endfor %}
    {# dbt keeps what it has parsed, also when another macro comes; but it parses again what has read a variable of the environment that changes. #}
    {% do env_var('RUNMART_DEFINITION', '') %}
    {% if execute and model.resource_type == 'model' %}
        {% for system in systems if '.int_' ~ system ~ '__' not in model.depends_on.nodes | join(' ') %}
            {% do exceptions.raise_compiler_error(
                model.name ~ ' was parsed before there was a macro ' ~ system ~ '__executions: run `dbt parse --no-partial-parse`, and this again.'
            ) %}
        {% endfor %}
    {% endif %}
    {% do return(systems) %}
{% endmacro %}

{% macro executions_of(systems) -%}
    {%- for system in systems %}
    {{ executions_in(context[system ~ '__executions']()) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro executions_in(relation) -%}
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
        error_message,
        is_deleted,
        duration_seconds,
        started_at,
        ended_at
    from {{ relation }}
{%- endmacro %}

{% macro executions_in_raw() -%}
    {%- set read = graph.nodes['model.' ~ project_name ~ '.fct_runs'].depends_on.nodes if execute else [] %}
    {%- for unique_id in read if graph.nodes[unique_id].config.meta.group %}
    {%- set system, table = graph.nodes[unique_id].config.meta.group.table.split('.') %}
    select
        '{{ system }}' as system_name,
        count(*) as execution_count
    from ({{ live_rows(graph.sources['source.' ~ project_name ~ '.' ~ system ~ '.' ~ table].relation_name) }}) as live
    having not {{ has_moved_on(system) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro is_zombie() -%}
    coalesce(status = 'running' and {{ hours_after('started_at', var('zombie_after_hours')) }} < {{ refresh_started_at() }}, false)
{%- endmacro %}
