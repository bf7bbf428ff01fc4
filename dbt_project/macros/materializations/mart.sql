{% macro mart(touched, grouped_by, indexes=[]) %}
    {{ config(touched=touched, grouped_by=grouped_by, indexes=indexes) }}
    {% if model.resource_type != 'unit_test' %}
        {% do ref('touched_' ~ touched) %}
    {% endif %}
{% endmacro %}

{% materialization mart, adapter='postgres' %}
    {%- set candidate = candidate_of(this).incorporate(type='view') -%}
    {%- set changes = changes_of(this) -%}
    {% do require_steps() %}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if is_built(changes) %}
        {% do empty_built(changes) %}
        {# That the columns are those of the contract was asserted when the table was made, for the same definition. #}
        {% call statement('main') -%}
            insert into {{ changes }} ({{ adapter.dispatch('get_column_names', 'dbt')() }})
            {{ get_select_subquery(sql) }}
        {%- endcall %}
    {% else %}
        {% do drop_built(candidate) %}
        {% do drop_built(changes) %}
        {% call statement('main') -%}
            {{ get_create_table_as_sql(False, changes, sql) }}
        {%- endcall %}
    {% endif %}
    {% do note_built(changes) %}
    {% set is_full = refresh_under_way()['is_full'] %}
    {#
        The checks and the marts that read this one are planned from these statistics; nothing else gathers them in time. Columns that name no
        group keep those of the last full refresh: gathering them costs more than they can save.
    #}
    {% do run_query('analyze ' ~ changes ~ ('' if is_full else ' (' ~ (model.config.get('grouped_by') | join(', ')) ~ ')')) %}
    {% if is_full or not is_built(candidate) %}
        {% do run_query('create or replace view ' ~ candidate ~ ' as ' ~ candidate_sql(model, changes, is_full)) %}
        {# That of a full refresh is good for that refresh only. #}
        {% do forget_built(candidate) if is_full else note_built(candidate) %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [candidate]}) }}
{% endmaterialization %}

{% macro candidate_sql(node, changes, is_full) -%}
    {%- set columns = get_quoted_csv(node.columns.keys()) -%}
    select {{ columns }} from {{ changes }}
    {%- if not is_full %}
    union all
    select {{ columns }} from analytics.{{ node.name }} as published
    where not {{ is_in_touched_group(node, 'published') }}
    {%- endif %}
{%- endmacro %}

{% macro require_steps() %}
    {% set missing = [] %}
    {% for unique_id in steps_behind(model) if unique_id not in selected_resources %}
        {% do missing.append(unique_id.split('.') | last) %}
    {% endfor %}
    {% if missing %}
        {% do exceptions.raise_compiler_error(
            'Mart ' ~ model.name ~ ' reads ' ~ (missing | sort | join(', ')) ~ ', which is made anew by each refresh and was not selected;'
            ~ ' select it too: `dbt build --select +' ~ model.name ~ '`.'
        ) %}
    {% endif %}
{% endmacro %}

{% macro steps_behind(node) %}
    {% set found = [] %}
    {% for unique_id in node.depends_on.nodes if unique_id in graph.nodes %}
        {% set parent = graph.nodes[unique_id] %}
        {% if parent.config.materialized == 'step' %}
            {% do found.append(unique_id) %}
        {% endif %}
        {% if parent.config.materialized != 'mart' %}
            {% do found.extend(steps_behind(parent)) %}
        {% endif %}
    {% endfor %}
    {% do return(found | unique | list) %}
{% endmacro %}
