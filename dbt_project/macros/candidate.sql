{#
    Candidates: what the project means by a mart, see `dagster_project/marts/postgres/candidates.py`. Everything in this project that refers to
    a mart, tests included, means that.
#}

{% macro candidate_of(relation) %}
    {% set node = (graph.nodes or {}).get('model.' ~ project_name ~ '.' ~ relation.identifier) %}
    {% if node and relation.schema == node.schema and node.config.materialized in ['mart', 'mart_view', 'mart_history'] %}
        {% do return(relation.incorporate(path={'schema': 'analytics_next'})) %}
    {% endif %}
    {% do return(relation) %}
{% endmacro %}

{% macro changes_of(relation) %}
    {% do return(relation.incorporate(path={'schema': 'analytics_next', 'identifier': relation.identifier ~ '__changes'}, type='table')) %}
{% endmacro %}

{% macro published_of(candidate) %}
    {% do return(candidate.incorporate(path={'schema': graph.nodes['model.' ~ project_name ~ '.' ~ candidate.identifier].schema})) %}
{% endmacro %}

{% macro ref() %}
    {% do return(candidate_of(builtins.ref(*varargs, **kwargs))) %}
{% endmacro %}

{% macro postgres__get_columns_in_relation(relation) %}
    {% do return(dbt.postgres__get_columns_in_relation(candidate_of(relation))) %}
{% endmacro %}

{% macro is_in_touched_group(mart, relation) -%}
    {%- for touched in known_of(mart.identifier)['touched'] -%}
    {{ '(' if loop.first }}exists (
        select 1 from analytics_next.{{ adapter.quote(touched['groups']) }} as touched
        where {% for column in touched['columns'] %}touched.{{ adapter.quote(column) }} = {{ relation }}.{{ adapter.quote(column) }}{{ ' and ' if not loop.last }}{% endfor %}
    ){{ ')' if loop.last else ' or ' }}
    {%- else -%}
    true
    {%- endfor -%}
{%- endmacro %}

{% macro drop_if_there(relation) %}
    {% set name = relation.schema ~ '.' ~ relation.identifier %}
    {% for row in run_query("select case relkind when 'v' then 'view' else 'table' end as kind from pg_class where oid = to_regclass('" ~ name ~ "')") %}
        {% do run_query('drop ' ~ row['kind'] ~ ' ' ~ relation ~ ' cascade') %}
    {% endfor %}
{% endmacro %}
