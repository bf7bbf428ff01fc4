{# A view that is as the project defines it is left alone: making it anew costs as much as a small refresh. #}
{% materialization view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% set is_left = is_built(target_relation) %}
    {% if is_left %}
        {% call noop_statement('main', 'VIEW') -%}{%- endcall %}
    {% else %}
        {% do drop_built(target_relation) %}
        {% call statement('main') -%}
            {{ get_create_view_as_sql(target_relation, sql) }}
        {%- endcall %}
        {% do note_built(target_relation) %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {# What is left alone has begun no transaction. #}
    {% if not is_left %}{% do adapter.commit() %}{% endif %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
