{#
    Publishing: the one step after which analysts see a refresh. One transaction brings each published mart to the rows of its candidate
    with DML, so that readers neither wait nor see a mixture, and nothing that users built on a published mart is dropped.
#}

{#
    Runs at the end of every dbt command; publishes only after a `dbt build` in which nothing failed or was skipped, and only the marts that
    this build built: a build of a part leaves the other marts as they were. RUNMART_PUBLISH=later leaves publishing to the caller, who runs
    `dbt run-operation publish` after checks of its own.
#}
{% macro publish_after_build(results) %}
    {% if execute and flags.WHICH == 'build' and env_var('RUNMART_PUBLISH', '') != 'later' %}
        {% set unsuccessful = results | rejectattr('status', 'in', ['success', 'pass', 'warn', 'no-op']) | list %}
        {% set built = results | map(attribute='node') | selectattr('resource_type', 'equalto', 'model')
            | selectattr('schema', 'equalto', 'analytics') | map(attribute='name') | list %}
        {% if unsuccessful %}
            {% do log('Nothing is published: ' ~ (unsuccessful | length) ~ ' of ' ~ (results | length) ~ ' results failed or were skipped.', info=true) %}
        {% elif built %}
            {% do publish(built) %}
        {% endif %}
    {% endif %}
{% endmacro %}

{#
    Publishes marts from their candidates.

    marts: names of marts; all marts of the project if none.

    A new column is added to the published mart. A column that the candidate no longer has, or has with another type, stops everything with
    its name; `--full-refresh` drops and adds that column instead, which fails if a user's view needs it.
#}
{% macro publish(marts=none) %}
    {% if not execute %}{% do return(none) %}{% endif %}
    {% set nodes = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | selectattr('schema', 'equalto', 'analytics') | list %}
    {% set unknown = (marts or []) | reject('in', nodes | map(attribute='name') | list) | list %}
    {% if unknown %}
        {% do exceptions.raise_compiler_error('No such mart: ' ~ (unknown | join(', ')) ~ '. Name models of models/marts.') %}
    {% endif %}
    {% set nodes = nodes | selectattr('name', 'in', marts or (nodes | map(attribute='name') | list)) | sort(attribute='name') | list %}
    {% set tables = nodes | selectattr('config.materialized', 'equalto', 'mart') | list %}
    {% set views = nodes | selectattr('config.materialized', 'equalto', 'mart_view') | list %}

    {# dbt leaves its connection outside a transaction and without the role of the profile. #}
    {% do run_query('begin; set local role ' ~ target.role) %}
    {% do run_query("select pg_advisory_xact_lock(hashtext('runmart publish'))") %}
    {% do refuse_unsound_raw() %}
    {% set candidate_columns = columns_by_relation('analytics_next') %}
    {% set published_columns = columns_by_relation('analytics') %}
    {% for node in nodes if node.name not in candidate_columns %}
        {% do exceptions.raise_compiler_error(
            'Mart ' ~ node.name ~ ' has no candidate in analytics_next; build it first with `dbt build --select ' ~ node.name ~ '`.'
        ) %}
    {% endfor %}

    {% for node in tables %}
        {% do run_query(publish_table_sql(node.name, candidate_columns[node.name], published_columns.get(node.name))) %}
    {% endfor %}
    {% for node in views %}
        {% do publish_view(node.name, node.name in published_columns) %}
    {% endfor %}
    {% for node in nodes %}
        {% set relation = api.Relation.create(schema='analytics', identifier=node.name, type='table' if node in tables else 'view') %}
        {% do run_query(alter_relation_comment(relation, node.description)) %}
        {% do run_query(alter_column_comment(relation, node.columns)) %}
    {% endfor %}
    {% do run_query('commit') %}
    {% do log('Published ' ~ (nodes | length) ~ ' marts.', info=true) %}
{% endmacro %}

{#
    Stops where a raw table failed a blocking expectation when it was last checked: what was built on it must not reach analysts, whoever
    started dbt. Marts' own expectations are the caller's, who runs them between the build and the publication.
#}
{% macro refuse_unsound_raw() %}
    {% set failing = run_query(
        "select asset_key || ' fails ' || string_agg(expectation, ', ' order by expectation) as complaint from ("
        "select distinct on (asset_key, expectation) asset_key, expectation, severity, is_success from quality.validation_results"
        " where asset_key not like 'analytics/%' order by asset_key, expectation, validated_at desc) as latest"
        " where severity = 'critical' and not is_success group by asset_key order by asset_key"
    ) %}
    {% if failing | length > 0 %}
        {% do exceptions.raise_compiler_error(
            'Nothing is published: ' ~ (failing.columns['complaint'].values() | join('; ')) ~ '. Correct the source and run `runmart sync`.'
        ) %}
    {% endif %}
{% endmacro %}

{# {relation: {column: type}} of a schema. #}
{% macro columns_by_relation(schema) %}
    {% set rows = run_query(
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod) as data_type"
        " from pg_attribute as a inner join pg_class as c on a.attrelid = c.oid"
        " where c.relnamespace = '" ~ schema ~ "'::regnamespace and c.relkind in ('r', 'v') and a.attnum > 0 and not a.attisdropped"
        " order by c.relname, a.attnum"
    ) %}
    {% set columns = {} %}
    {% for row in rows %}
        {% do columns.setdefault(row['relname'], {}).update({row['attname']: row['data_type']}) %}
    {% endfor %}
    {% do return(columns) %}
{% endmacro %}

{# Statements that give a published mart the columns and the rows of its candidate. #}
{% macro publish_table_sql(name, candidate, published) %}
    {%- if published is none -%}
        create table analytics.{{ name }} (like analytics_next.{{ name }} including all);
        {{ grant_to_analysts(name) }}
    {%- else -%}
        {%- set departed = [] -%}
        {%- for column, data_type in published.items() if candidate.get(column) != data_type -%}
            {%- do departed.append(column) -%}
        {%- endfor -%}
        {%- if departed and not flags.FULL_REFRESH -%}
            {%- do exceptions.raise_compiler_error(
                'Mart ' ~ name ~ ' is not published: its candidate no longer has ' ~ (departed | join(', ')) ~ ' as published. Restore the column,'
                ~ ' or accept the change with `--full-refresh`, which drops it from analytics.' ~ name ~ ' unless a view of a user needs it.'
            ) -%}
        {%- endif -%}
        {%- set arrived = candidate.keys() | reject('in', published.keys() | reject('in', departed) | list) | list -%}
        {%- if departed or arrived -%}
            {# Only a change of columns needs a lock that readers feel; it gives up soon rather than make them queue behind it. #}
            set local lock_timeout = '5s';
            {%- for column in departed %}
        alter table analytics.{{ name }} drop column {{ adapter.quote(column) }};
            {%- endfor %}
            {%- for column in arrived %}
        alter table analytics.{{ name }} add column {{ adapter.quote(column) }} {{ candidate[column] }};
            {%- endfor %}
        {%- endif -%}
    {%- endif %}
    {%- set columns = candidate.keys() | map('tojson') | join(', ') %}
        delete from analytics.{{ name }};
        insert into analytics.{{ name }} ({{ columns }}) select {{ columns }} from analytics_next.{{ name }};
{% endmacro %}

{#
    Gives a published view the definition of its candidate, on published marts. The definition is read and written without schema names, so
    that the search path decides which schema it means. A view that is the same is left alone: replacing it would make readers wait.
#}
{% macro publish_view(name, is_published) %}
    {% set wanted = definition_of_view('analytics_next', name) %}
    {% if not is_published or definition_of_view('analytics', name) != wanted %}
        {% do run_query('set local search_path = analytics; create or replace view analytics.' ~ name ~ ' as ' ~ wanted) %}
        {% if not is_published %}
            {% do run_query(grant_to_analysts(name)) %}
        {% endif %}
    {% endif %}
{% endmacro %}

{% macro definition_of_view(schema, name) %}
    {% do run_query('set local search_path = ' ~ schema) %}
    {% do return(run_query("select pg_get_viewdef('" ~ schema ~ "." ~ name ~ "'::regclass) as definition")[0]['definition']) %}
{% endmacro %}

{% macro grant_to_analysts(name) %}
        grant usage on schema analytics to runmart_analyst;
        grant select on analytics.{{ name }} to runmart_analyst;
{% endmacro %}
