{% materialization mart_history, adapter='postgres' %}
    {# What it says is what publishing has kept; until it has been published in this shape there is nothing to show. #}
    {%- set columns = model.columns.keys() | list -%}
    {%- set published = dbt.postgres__get_columns_in_relation(this) | map(attribute='name') | list -%}
    {%- set nothing = '(' ~ sql ~ ') as versions where false' -%}
    {{ return(made_view(
        candidate_of(this),
        'select ' ~ get_quoted_csv(columns) ~ ' from ' ~ (this if published == columns else nothing)
    )) }}
{% endmaterialization %}
