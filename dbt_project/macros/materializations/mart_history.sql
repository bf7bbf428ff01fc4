{% materialization mart_history, adapter='postgres' %}
    {# What it says is what publishing has kept; until it has been published in this shape there is nothing to show. #}
    {%- set columns = model.columns.keys() | list -%}
    {# Only a full refresh makes the view; to ask for columns costs as much as the rest of a small one. #}
    {%- set is_full = refresh_under_way()['is_full'] -%}
    {%- set published = dbt.postgres__get_columns_in_relation(this) | map(attribute='name') | list if is_full else columns -%}
    {%- set nothing = '(' ~ sql ~ ') as versions where false' -%}
    {{ return(made_view(
        candidate_of(this),
        'select ' ~ get_quoted_csv(columns) ~ ' from ' ~ (this if published == columns else nothing)
    )) }}
{% endmaterialization %}
