{#
    The refresh that an engine has begun, as far as dbt has to know of it: see `dagster_project/marts`. dbt by itself builds every mart whole.
#}

{% macro read_refresh() %}
    {% do graph.update({'refresh': none}) %}
    {% if not execute %}{% do return('') %}{% endif %}
    {% set started_at = env_var('RUNMART_REFRESH', '') %}
    {% if not started_at %}
        {# What incremental refreshes take for granted is replaced, so the next one must be full. #}
        {% if is_building() %}{% do run_query('begin; delete from ops.built_models; commit') %}{% endif %}
        {% do return('') %}
    {% endif %}
    {% set rows = run_query(
        "select to_char(started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as started_at, batches::text as batches, is_full,"
        " relations::text as relations from ops.refresh_under_way where started_at = '" ~ started_at ~ "'"
    ) %}
    {% if not rows %}
        {% do exceptions.raise_compiler_error('Another refresh has begun since ' ~ started_at ~ '. Run `runmart refresh` again.') %}
    {% endif %}
    {% set row = rows[0] %}
    {# `graph` is what all nodes of a command share. #}
    {% do graph.update({'refresh': {
        'started_at': row['started_at'], 'batches': fromjson(row['batches']), 'is_full': row['is_full'],
        'relations': fromjson(row['relations']),
    }}) %}
{% endmacro %}

{% macro is_building() %}
    {% set models = [] %}
    {% for unique_id in selected_resources or [] if unique_id.startswith('model.' ~ project_name ~ '.') %}{% do models.append(unique_id) %}{% endfor %}
    {% do return(flags.WHICH in ['build', 'run'] and models | length > 0) %}
{% endmacro %}

{% macro say_how_to_publish(results) %}
    {% if execute and is_building() and not graph['refresh'] %}
        {% do log('Candidates stand in schema analytics_next, whole. Analysts see nothing of them: `runmart refresh` builds, checks and publishes.', info=true) %}
    {% endif %}
{% endmacro %}

{% macro refresh_under_way() %}
    {% set whole = {'started_at': run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f'), 'batches': {}, 'is_full': true, 'relations': {}} %}
    {% if not execute or (model is defined and model.resource_type == 'unit_test') %}{% do return(whole) %}{% endif %}
    {% do return(graph['refresh'] or whole) %}
{% endmacro %}

{% macro has_moved_on(system) -%}
    {%- set batches = refresh_under_way()['batches'] -%}
    {%- if system in batches -%}
    exists (select 1 from ops.sync_state as state where state.system = '{{ system }}' and state.batch_id > {{ batches[system] }})
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{% macro known_of(name) %}
    {% set known = refresh_under_way()['relations'].get(name) %}
    {% if known is none %}
        {% do exceptions.raise_compiler_error('The refresh under way was begun without ' ~ name ~ '. Run `runmart refresh` again.') %}
    {% endif %}
    {% do return(known) %}
{% endmacro %}

{% macro grouped_by(name) %}
    {% do return(known_of(name)['touched'] | sum(attribute='columns', start=[]) | unique | list) %}
{% endmacro %}

{# Nothing that a refresh builds must survive a crash before it is published; the commit of the publication waits for all before it. #}
{% macro commit_lazily() -%}
    set local synchronous_commit = off
{%- endmacro %}

{% macro narrowed(query) %}
    {% set result = namespace(query=query) %}
    {% for name, view in known_of(model.name)['reads'].items() %}
        {% set printed = api.Relation.create(schema=name.split('.')[0], identifier=name.split('.')[1]) | string %}
        {% set result.query = result.query.replace(printed, 'analytics_next.' ~ adapter.quote(view)) %}
    {% endfor %}
    {% do return(result.query) %}
{% endmacro %}

{% macro refresh_started_at() -%}
    cast('{{ refresh_under_way()['started_at'] }}' as {{ type_timestamp_ntz() }})
{%- endmacro %}

{% macro refresh_columns() -%}
    {%- set refresh = refresh_under_way() -%}
    {%- set batches = [] -%}
    {%- for system in systems_behind(model) if system in refresh['batches'] %}{% do batches.append(refresh['batches'][system]) %}{% endfor %}
        cast('{{ refresh['started_at'] }}+00:00' as {{ type_timestamp_tz() }}) as refreshed_at,
        cast({{ batches | max if batches else 'null' }} as bigint) as source_batch_id
{%- endmacro %}

{% macro systems_behind(node) %}
    {% do return(sources_behind(node) | map(attribute='source_name') | unique | sort | list) %}
{% endmacro %}

{% macro sources_behind(node) %}
    {% set found = [] %}
    {% for unique_id in node.depends_on.nodes if execute %}
        {% if unique_id in graph.sources %}
            {% do found.append(graph.sources[unique_id]) %}
        {% elif unique_id in graph.nodes %}
            {% do found.extend(sources_behind(graph.nodes[unique_id])) %}
        {% endif %}
    {% endfor %}
    {% do return(found | unique(attribute='unique_id') | list) %}
{% endmacro %}

{% macro tables_behind_marts() -%}
    {%- set rows = [] -%}
    {# What is parsed is the same for every warehouse, so the variable is not asked for while it is. #}
    {%- set systems = env_var('RUNMART_DBT_SYSTEMS', '').split() if execute else [] -%}
    {%- for node in (graph.nodes or {}).values() if node.resource_type == 'model' and node.schema == 'analytics' -%}
        {%- for source in sources_behind(node) if source.schema.startswith('raw_') and (source.source_name in systems or not systems) -%}
            {%- do rows.append("('" ~ node.name ~ "', '" ~ source.source_name ~ "', '" ~ source.name ~ "')") -%}
        {%- endfor -%}
    {%- endfor -%}
    select * from (values {{ rows | sort | join(', ') or "('', '', '')" }}) as behind (mart_name, system_name, table_name)
{%- endmacro %}
