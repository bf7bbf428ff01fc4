{% materialization step, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if refresh_under_way()['is_full'] %}
        {% do drop_if_there(target_relation) %}
        {% call statement('main') -%}
            {{ get_create_table_as_sql(False, target_relation, sql) }}
        {%- endcall %}
    {% else %}
        {% call statement('main') -%}
            {{ commit_lazily() }};
            insert into {{ target_relation }}
            {{ narrowed(sql) }}
        {%- endcall %}
    {% endif %}
    {# What reads it is planned from these statistics; nothing else gathers them in time. #}
    {% do run_query('analyze ' ~ target_relation) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
