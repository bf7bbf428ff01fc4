{% materialization inlined_view, adapter='postgres' %}
    {{ return(made_view(this, as_subqueries(sql))) }}
{% endmaterialization %}

{% macro made_view(relation, query) %}
    {%- set target_relation = relation.incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% set is_left = is_built(target_relation) %}
    {% if is_left %}
        {% call noop_statement('main', 'VIEW') -%}{%- endcall %}
    {% else %}
        {% do drop_built(target_relation) %}
        {% call statement('main') -%}
            {{ get_create_view_as_sql(target_relation, query) }}
        {%- endcall %}
        {% do note_built(target_relation) %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {# What is left alone has begun no transaction. #}
    {% if not is_left %}{% do adapter.commit() %}{% endif %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {% do return({'relations': [target_relation]}) %}
{% endmacro %}

{% macro as_subqueries(query) %}
    {% set definition = '(?ms)^(?:with )?(\\w+) as \\(\n(.*?)^\\),?\n' %}
    {% set result = namespace(sql=modules.re.sub(definition, '', query), is_possible=true) %}
    {% for name, body in modules.re.findall(definition, query) | reverse %}
        {% set parts = modules.re.split('\\b(from|join) ' ~ name ~ '\\b(?! as\\b)', result.sql) %}
        {% if parts | length == 3 %}
            {% set result.sql = parts[0] ~ parts[1] ~ ' (\n' ~ body ~ ') as ' ~ name ~ parts[2] %}
        {% else %}
            {% set result.is_possible = false %}
        {% endif %}
    {% endfor %}
    {% do return(result.sql if result.is_possible else query) %}
{% endmacro %}
