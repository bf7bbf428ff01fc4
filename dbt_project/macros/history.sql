{#
    Histories: what the rows of a mart said, and when. A mart's history is a mart of its own, which publishing keeps: where it deletes a row
    the version ends, where it inserts one a version begins. Its growth is that of the change.
#}

{% macro history(of, grouped_by) %}
    {{ config(
        materialized='mart_history',
        history_of=of,
        grouped_by=grouped_by,
        indexes=[
            {'columns': grouped_by, 'unique': true, 'where': 'valid_to is null'},
            {'columns': ['valid_to'], 'where': 'valid_to is not null'},
        ],
    ) }}
{% endmacro %}

{% macro begin_history_sql(node) -%}
    {%- set columns = get_quoted_csv(node.columns.keys() | reject('in', ['valid_from', 'valid_to'])) -%}
    {{ begin_versions_sql(node, 'analytics.' ~ node.config.get('history_of'), columns) }}
{%- endmacro %}

{% macro begin_versions_sql(node, relation, columns) -%}
    insert into analytics.{{ node.name }} ({{ columns }}, valid_from)
    select {{ columns }}, {{ published_at() }} from {{ relation }}
{%- endmacro %}

{% macro end_versions_sql(node) -%}
    update analytics.{{ node.name }} as versions
    set valid_to = {{ published_at() }}
    from deleted
    where
        versions.valid_to is null
        {%- for column in node.config.get('grouped_by') %}
        and versions.{{ column }} = deleted.{{ column }}
        {%- endfor %}
{%- endmacro %}

{% macro forget_versions_sql(node) -%}
    {%- set days = env_var('RUNMART_HISTORY_DAYS', '') -%}
    {%- if days and not days.isdecimal() -%}
        {%- do exceptions.raise_compiler_error("RUNMART_HISTORY_DAYS is '" ~ days ~ "': give a number of days, or unset it to keep everything.") -%}
    {%- elif days -%}
    delete from analytics.{{ node.name }} where valid_to < {{ published_at() }} - interval '{{ days }} days'
    {%- endif -%}
{%- endmacro %}
