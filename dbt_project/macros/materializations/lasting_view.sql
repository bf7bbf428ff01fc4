{% materialization lasting_view, adapter='postgres' %}
    {{ return(made_view(this, sql)) }}
{% endmaterialization %}

{% macro made_view(relation, query) %}
    {%- set target_relation = relation.incorporate(type='view') -%}
    {%- set is_left = not refresh_under_way()['is_full'] -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if is_left %}
        {% call noop_statement('main', 'VIEW') -%}{%- endcall %}
    {% else %}
        {% do drop_if_there(target_relation) %}
        {% call statement('main') -%}
            {{ get_create_view_as_sql(target_relation, query) }}
        {%- endcall %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {# What is left alone has begun no transaction. #}
    {% if not is_left %}{% do adapter.commit() %}{% endif %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {% do return({'relations': [target_relation]}) %}
{% endmacro %}
