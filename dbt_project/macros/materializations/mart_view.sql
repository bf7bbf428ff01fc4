{# A view on marts: in the candidate schema it reads candidates; `publish` makes the same view on published marts. #}
{% materialization mart_view, adapter='postgres' %}
    {%- set candidate = candidate_of(this).incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% set is_left = is_built(candidate) %}
    {% if is_left %}
        {% call noop_statement('main', 'VIEW') -%}{%- endcall %}
    {% else %}
        {% do drop_built(candidate) %}
        {% call statement('main') -%}
            {{ get_create_view_as_sql(candidate, sql) }}
        {%- endcall %}
        {% do note_built(candidate) %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {# What is left alone has begun no transaction. #}
    {% if not is_left %}{% do adapter.commit() %}{% endif %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [candidate]}) }}
{% endmaterialization %}
