{# A table in the candidate schema, built anew at each run. Publishing it is `publish`'s work. #}
{% materialization mart, adapter='postgres' %}
    {%- set candidate = candidate_of(this).incorporate(type='table') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {{ drop_relation_if_exists(load_cached_relation(candidate)) }}
    {% call statement('main') -%}
        {{ get_create_table_as_sql(False, candidate, sql) }}
    {%- endcall %}
    {% do create_indexes(candidate) %}
    {# The checks and the marts that read this one are planned from these statistics; nothing else gathers them in time. #}
    {% do run_query('analyze ' ~ candidate) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [candidate]}) }}
{% endmaterialization %}
