{% materialization mart_history, adapter='postgres' %}
    {%- set candidate = candidate_of(this).incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% set is_left = is_built(candidate) %}
    {% if is_left %}
        {% call noop_statement('main', 'VIEW') -%}{%- endcall %}
    {% else %}
        {% do drop_built(candidate) %}
        {% call statement('main') -%}
            {{ get_create_view_as_sql(candidate, 'select * from (' ~ sql ~ ') as versions where false') }}
        {%- endcall %}
        {# Until it has been published in this shape there is nothing to show, and the next refresh looks again. #}
        {% set columns = columns_of_marts([this.identifier]) %}
        {% if columns['analytics'].get(this.identifier) == columns['analytics_next'][this.identifier] %}
            {% do run_query('create or replace view ' ~ candidate ~ ' as select ' ~ get_quoted_csv(model.columns.keys()) ~ ' from ' ~ this) %}
            {% do note_built(candidate) %}
        {% endif %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {# What is left alone has begun no transaction. #}
    {% if not is_left %}{% do adapter.commit() %}{% endif %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [candidate]}) }}
{% endmaterialization %}
