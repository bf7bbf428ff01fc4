{# A view on marts: in the candidate schema it reads candidates; `publish` makes the same view on published marts. #}
{% materialization mart_view, adapter='postgres' %}
    {%- set candidate = candidate_of(this).incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {{ drop_relation_if_exists(load_cached_relation(candidate)) }}
    {% call statement('main') -%}
        {{ get_create_view_as_sql(candidate, sql) }}
    {%- endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [candidate]}) }}
{% endmaterialization %}
