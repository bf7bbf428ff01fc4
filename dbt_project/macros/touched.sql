{#
    Touch rules: which groups of a mart the batches since the last complete refresh have touched. A group is touched by a row that came, changed,
    went, or left it for another group. The rules stand in models/touched; marts recompute what these name.
#}

{% macro changed_rows(system, table) -%}
    {%- set refresh = refresh_under_way() -%}
    select * from {{ source(system, table) }}
    where {{ 'false' if refresh['is_full'] else '_batch_id > ' ~ refresh['seen'][system] }}
{%- endmacro %}

{% macro changed_parents(system, table, column) -%}
    {%- set refresh = refresh_under_way() -%}
    {%- if refresh['is_full'] -%}
    select
        {{ column }},
        _batch_id as batch_id
    from {{ source(system, table) }}
    where false
    {%- else -%}
    {{ values_in_batches(source(system, table), column, refresh['seen'][system]) }}
    {%- endif %}

    union all

    {{ parents_left('(' ~ changed_rows(system, table) ~ ') as changed', column) }}
{%- endmacro %}

{% macro parents_of_touched(system, table, parent, key, touched) -%}
    {{ changed_parents(system, table, parent) }}

    union all

    select
        children.{{ parent }},
        touched.batch_id
    from {{ ref('stg_' ~ system ~ '__' ~ table) }} as children
    inner join {{ touched }} as touched on children.{{ key }} = touched.{{ key }}
{%- endmacro %}

{% macro is_touched(touched, column, key=none) -%}
    {%- if model.resource_type == 'unit_test' -%}
        true
    {%- else -%}
        {%- set groups = ref('touched_' ~ touched) -%}
        {%- if refresh_under_way()['is_full'] -%}
            true
        {%- else -%}
            {{ column }} in (select touched.{{ key or column.split('.') | last }} from {{ groups }} as touched)
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro published_values(mart, column, data_type) -%}
    {%- if refresh_under_way()['is_full'] -%}
    select cast(null as {{ data_type }}) as {{ column }}
    where false
    {%- else -%}
    select distinct {{ column }} from analytics.{{ mart }}
    {%- endif -%}
{%- endmacro %}

{% macro touched_rows(mart, touched, column) -%}
    {%- set candidate = ref(mart) -%}
    {%- if not execute or refresh_under_way()['is_full'] -%}
    select * from {{ candidate }} where {{ is_touched(touched, column) }}
    {%- else -%}
    {%- set node = mart_of_candidate(candidate) -%}
    {%- set columns = get_quoted_csv(node.columns.keys()) -%}
    select {{ columns }} from {{ published_of(candidate) }} as published
    where {{ is_touched(touched, 'published.' ~ column) }} and not {{ is_in_touched_group(node, 'published') }}
    union all
    select {{ columns }} from {{ changes_of(candidate) }} as recomputed
    where {{ is_touched(touched, 'recomputed.' ~ column) }}
    {%- endif -%}
{%- endmacro %}

{% macro is_in_touched_group(node, relation) -%}
    exists (
        select 1 from {{ groups_of(node) }} as touched
        where {{ is_group_of(node, relation) }}
    )
{%- endmacro %}

{% macro groups_of(node) -%}
    {{ graph.nodes['model.' ~ project_name ~ '.touched_' ~ node.config.get('touched')].relation_name }}
{%- endmacro %}

{% macro is_group_of(node, relation) -%}
    {% for column in node.config.get('grouped_by') %}touched.{{ column }} = {{ relation }}.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
{%- endmacro %}
