{#
    What data tests read in a refresh. Rows of groups that it leaves alone are as they were published, after their tests; so a test reads the
    recomputed rows of a mart, and of the others those that recomputed rows may have made wrong. A full refresh, `dbt test`, and a test that
    only warns, and goes on warning, read all rows.
#}

{% macro default__get_where_subquery(relation) %}
    {% if reads_recomputed_rows(relation) and not config.get('where') %}
        {% set test, arguments = model.test_metadata.name, model.test_metadata.kwargs %}
        {% set grain = arguments.columns if test == 'unique_grain' else [arguments.column_name] %}
        {% set is_of_groups = test in ['unique', 'unique_grain'] and not grouped_by(relation.identifier) | reject('in', grain) | list %}
        {% if test in ['not_null', 'accepted_values', 'holds'] or is_of_groups %}
            {% do return(changes_of(relation) if is_mart(relation) else '(' ~ shown_of_recomputed(relation) ~ ') as tested') %}
        {% elif test == 'unique' and is_mart(relation) %}
            {% do return('(' ~ rows_like_recomputed(relation, arguments.column_name) ~ ') as tested') %}
        {% endif %}
    {% endif %}
    {% do return(dbt.default__get_where_subquery(relation)) %}
{% endmacro %}

{% macro default__test_relationships(model, column_name, to, field) %}
    {%- if model is string or not (is_mart(model) and is_mart(to) and reads_recomputed_rows(model) and reads_recomputed_rows(to)) -%}
{{ dbt.default__test_relationships(model, column_name, to, field) }}
    {%- else -%}
with lost_parents as (

    select published.{{ field }} as to_field
    from {{ published_of(to) }} as published
    where
        {{ is_in_touched_group(to, 'published') }}
        and not exists (select 1 from {{ changes_of(to) }} as recomputed where recomputed.{{ field }} = published.{{ field }})

),

children as (

    select {{ column_name }} as from_field
    from {{ changes_of(model) }}
    union all
    select published.{{ column_name }} as from_field
    from {{ published_of(model) }} as published
    where
        published.{{ column_name }} in (select lost_parents.to_field from lost_parents)
        and not {{ is_in_touched_group(model, 'published') }}

)

select children.from_field
from children
where
    children.from_field is not null
    and not exists (select 1 from {{ changes_of(to) }} as recomputed where recomputed.{{ field }} = children.from_field)
    and not exists (
        select 1
        from {{ published_of(to) }} as published
        where
            published.{{ field }} = children.from_field
            and not {{ is_in_touched_group(to, 'published') }}
    )
    {%- endif -%}
{% endmacro %}

{% macro reads_recomputed_rows(relation) %}
    {% set is_read_whole = not execute or relation.schema != 'analytics_next' or config.get('severity', 'error') | lower != 'error' %}
    {% do return(not is_read_whole and 'touched' in refresh_under_way()['relations'].get(relation.identifier, {})) %}
{% endmacro %}

{% macro is_mart(relation) %}
    {% set node = (graph.nodes or {}).get('model.' ~ project_name ~ '.' ~ relation.identifier) %}
    {% do return(node and node.config.materialized == 'mart') %}
{% endmacro %}

{% macro shown_of_recomputed(relation) -%}
    select shown.* from {{ relation }} as shown where {{ is_in_touched_group(relation, 'shown') }}
{%- endmacro %}

{% macro rows_like_recomputed(relation, column) -%}
    select {{ column }} from {{ changes_of(relation) }}
    union all
    select published.{{ column }} from {{ published_of(relation) }} as published
    where
        published.{{ column }} in (select recomputed.{{ column }} from {{ changes_of(relation) }} as recomputed)
        and not {{ is_in_touched_group(relation, 'published') }}
{%- endmacro %}
