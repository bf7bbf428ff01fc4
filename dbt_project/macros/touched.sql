{#
    Touch rules: which groups of a mart the batches since the last complete refresh have touched. A group is touched by a row that came, changed,
    went, or left it for another group. The rules stand in models/touched; marts recompute what these name.
#}

{#
    The rows of a raw table that have changed since the last complete refresh, deleted ones included; none in a full refresh, which recomputes
    everything. The batch is written as a number because the planner uses the index by batch only if it knows it.
#}
{% macro changed_rows(system, table) -%}
    {%- set refresh = refresh_under_way() -%}
    select * from {{ source(system, table) }}
    where {{ 'false' if refresh['is_full'] else '_batch_id > ' ~ refresh['seen'][system] }}
{%- endmacro %}

{#
    The parents that changed rows of a raw table have, and those that they have left, with the batch of the change.

    column: the foreign key that names the parent.
#}
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

{#
    The parents of touched rows of a table, those that changed rows have left among them, with the batch of the change.

    parent: the foreign key that names the parent. key: the key of the table. touched: the relation with the touched keys.
#}
{% macro parents_of_touched(system, table, parent, key, touched) -%}
    {{ changed_parents(system, table, parent) }}

    union all

    select
        children.{{ parent }},
        touched.batch_id
    from {{ ref('stg_' ~ system ~ '__' ~ table) }} as children
    inner join {{ touched }} as touched on children.{{ key }} = touched.{{ key }}
{%- endmacro %}

{#
    Whether a row belongs to a touched group; true in a full refresh.

    touched: the model models/touched/touched_<touched>.
    column: the row's column that names the group; key: what that model calls it, if it is another name.
#}
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

{# The distinct values of a column of a published mart; none in a full refresh. #}
{% macro published_values(mart, column, data_type) -%}
    {%- if refresh_under_way()['is_full'] -%}
    select cast(null as {{ data_type }}) as {{ column }}
    where false
    {%- else -%}
    select distinct {{ column }} from analytics.{{ mart }}
    {%- endif -%}
{%- endmacro %}

{#
    The rows of another mart, as of this refresh, whose groups are touched: published rows where the other mart has not recomputed them.
    Says what `select * from ref(mart) where is_touched(…)` says, in a form in which indexes are used.
#}
{% macro touched_rows(mart, touched, column) -%}
    {%- set candidate = ref(mart) -%}
    {%- if not execute or refresh_under_way()['is_full'] -%}
    select * from {{ candidate }} where {{ is_touched(touched, column) }}
    {%- else -%}
    {%- set node = mart_of_candidate(candidate) -%}
    {%- set columns = node.columns.keys() | map('tojson') | join(', ') -%}
    select {{ columns }} from {{ published_of(candidate) }} as published
    where {{ is_touched(touched, 'published.' ~ column) }} and not {{ is_in_touched_group(node, 'published') }}
    union all
    select {{ columns }} from {{ changes_of(candidate) }} as recomputed
    where {{ is_touched(touched, 'recomputed.' ~ column) }}
    {%- endif -%}
{%- endmacro %}

{# Whether a row of a mart belongs to a group that its refresh recomputes. #}
{% macro is_in_touched_group(node, relation) -%}
    exists (
        select 1 from {{ groups_of(node) }} as touched
        where {{ is_group_of(node, relation) }}
    )
{%- endmacro %}

{# The relation with the touched groups of a mart. #}
{% macro groups_of(node) -%}
    {{ graph.nodes['model.' ~ project_name ~ '.touched_' ~ node.config.get('touched')].relation_name }}
{%- endmacro %}

{# Whether a row of a mart belongs to the group in `touched`. #}
{% macro is_group_of(node, relation) -%}
    {% for column in node.config.get('grouped_by') %}touched.{{ column }} = {{ relation }}.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
{%- endmacro %}
