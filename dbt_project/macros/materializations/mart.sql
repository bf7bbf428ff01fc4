{% materialization mart, adapter='postgres' %}
    {%- set candidate = candidate_of(this).incorporate(type='view') -%}
    {%- set changes = changes_of(this) -%}
    {%- set columns = adapter.dispatch('get_column_names', 'dbt')() -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if refresh_under_way()['is_full'] %}
        {% do drop_if_there(candidate) %}
        {% do drop_if_there(changes) %}
        {% call statement('main') -%}
            {{ get_create_table_as_sql(False, changes, sql) }}
        {%- endcall %}
        {% do run_query('create view ' ~ candidate ~ ' as select ' ~ columns ~ ' from ' ~ changes) %}
        {% do run_query('analyze ' ~ changes) %}
    {% else %}
        {# That the columns are those of the contract was asserted when the table was made, for the same definition. #}
        {% set key = grouped_by(model.name) %}
        {% call statement('main') -%}
            {{ commit_lazily() }};
            insert into {{ changes }} ({{ columns }})
            select {{ columns }} from (
            {{ narrowed(sql) }}
            ) as recomputed
            where {{ is_in_touched_group(candidate, 'recomputed') }}
        {%- endcall %}
        {#
            The checks and the marts that read this one are planned from these statistics; nothing else gathers them in time. Columns that name
            no group keep those of the last full refresh: gathering them costs more than they can save.
        #}
        {% do run_query('analyze ' ~ changes ~ (' (' ~ get_quoted_csv(key) ~ ')' if key else '')) %}
        {# Marts that follow this one come after it, and begin with the groups that its rows have touched. #}
        {% for statement in known_of(model.name)['then'] %}{% do run_query(statement) %}{% endfor %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [candidate]}) }}
{% endmaterialization %}
