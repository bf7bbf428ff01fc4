{#
    Publishing: the one step after which analysts see a refresh. One transaction brings each published mart to the rows of its candidate
    with DML on the rows that differ, so that readers neither wait nor see a mixture, nothing that users built on a published mart is
    dropped, and the cost is that of the change.
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
    its name; a refresh that was forced with `--full-refresh` drops and adds that column instead, which fails if a user's view needs it.
#}
{% macro publish(marts=none) %}
    {% if not execute %}{% do return(none) %}{% endif %}
    {% set all_nodes = marts_of_project() %}
    {% set unknown = (marts or []) | reject('in', all_nodes | map(attribute='name') | list) | list %}
    {% if unknown %}
        {% do exceptions.raise_compiler_error('No such mart: ' ~ (unknown | join(', ')) ~ '. Name models of models/marts.') %}
    {% endif %}
    {% set nodes = all_nodes | selectattr('name', 'in', marts or (all_nodes | map(attribute='name') | list)) | sort(attribute='name') | list %}
    {% set tables = nodes | selectattr('config.materialized', 'equalto', 'mart') | list %}
    {% set histories = nodes | selectattr('config.materialized', 'equalto', 'mart_history') | list %}
    {% set views = nodes | selectattr('config.materialized', 'equalto', 'mart_view') | list %}

    {# dbt leaves its connection outside a transaction and, unless connections are kept, without the role of the profile. #}
    {% do run_query('begin; set local role ' ~ target.role) %}
    {% do run_query("select pg_advisory_xact_lock(hashtext('runmart publish'))") %}
    {% set refresh = last_refresh() %}
    {% do refuse_mixture(refresh, tables) %}
    {% do refuse_unsound_raw() %}
    {# Publications come one after the other, so this moment, unlike the beginning of the transaction, is later than all that were before. #}
    {% set published_at = run_query('select clock_timestamp()::text as published_at')[0]['published_at'] %}
    {% set all_histories = all_nodes | selectattr('config.materialized', 'equalto', 'mart_history') | list %}
    {% set columns = columns_of_marts((nodes + all_histories) | map(attribute='name') | unique | list) %}
    {% set candidate_columns = columns['analytics_next'] %}
    {% set published_columns = columns['analytics'] %}

    {% for node in tables + histories %}
        {% do run_query(shape_table_sql(node, candidate_columns[node.name], published_columns.get(node.name), refresh['is_forced'])) %}
    {% endfor %}
    {% set written = {} %}
    {% for node in tables %}
        {% set kept_by = all_histories | selectattr('config.history_of', 'equalto', node.name) | selectattr('name', 'in', published_columns) | list | first %}
        {% do written.update({node.name: publish_rows(node, candidate_columns[node.name], refresh['is_full'], published_at, kept_by)}) %}
        {% if node.name not in published_columns %}
            {% do run_query('analyze analytics.' ~ node.name) %}
        {% endif %}
    {% endfor %}
    {% for node in histories %}
        {% if node.name not in published_columns %}
            {% do begin_history(node, published_at) %}
        {% endif %}
        {% do forget_versions(node, published_at) %}
    {% endfor %}
    {% for node in views %}
        {% do publish_view(node.name, node.name in published_columns) %}
    {% endfor %}
    {% for node in nodes %}
        {% if refresh['is_full'] or node.name not in published_columns %}
            {% set relation = api.Relation.create(schema='analytics', identifier=node.name, type='view' if node in views else 'table') %}
            {% do run_query(alter_relation_comment(relation, node.description)) %}
            {% do run_query(alter_column_comment(relation, node.columns)) %}
        {% endif %}
    {% endfor %}
    {% set refresh_id = record_refresh(refresh, published_at, written, nodes | length == all_nodes | length) %}
    {% do run_query('commit') %}
    {% do log('Published refresh ' ~ refresh_id ~ ': ' ~ (nodes | length) ~ ' marts, ' ~ (written.values() | map(attribute='inserted') | sum)
        ~ ' rows written, ' ~ (written.values() | map(attribute='deleted') | sum) ~ ' removed.', info=true) %}
{% endmacro %}

{% macro marts_of_project() %}
    {% do return(graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | selectattr('schema', 'equalto', 'analytics') | list) %}
{% endmacro %}

{#
    Stops where candidates do not fit together: raw changed while they were built, so that some of them may have read it before the change and
    others not, or one of them was left by an earlier refresh.
#}
{% macro refuse_mixture(refresh, nodes) %}
    {% if not refresh['is_whole'] %}
        {% do exceptions.raise_compiler_error(
            'Nothing is published: a sync wrote new rows while the marts were built, or the build did not end. Run `runmart refresh` again.'
        ) %}
    {% endif %}
    {% set built = run_query(
        "select built.relation from analytics_next.built as built inner join analytics_next.refresh as refresh"
        " on built.refresh_started_at = refresh.started_at"
    ).columns['relation'].values() %}
    {% set left = nodes | map(attribute='name') | reject('in', built | map('replace', 'analytics_next.', '') | map('replace', '__changes', '') | list) | list %}
    {% if left %}
        {% do exceptions.raise_compiler_error(
            'Nothing is published: the last refresh has not built ' ~ (left | join(', ')) ~ '. Build them all with `runmart refresh`, or publish'
            ~ ' the others by name.'
        ) %}
    {% endif %}
{% endmacro %}

{# Writes down what was published, in its transaction: the next refresh goes on from there. #}
{% macro record_refresh(refresh, published_at, written, is_complete) %}
    {% do return(run_query(
        "insert into ops.refreshes (started_at, published_at, definition, project_files, batches, is_full, is_complete, next_due_at, marts) values ('"
        ~ refresh['started_at'] ~ "+00', '" ~ published_at ~ "', '" ~ refresh['definition'] ~ "', nullif('" ~ env_var('RUNMART_PROJECT_FILES', '') ~ "', ''), '"
        ~ (refresh['batches'] | tojson) ~ "', "
        ~ refresh['is_full'] ~ ", " ~ is_complete ~ ", " ~ next_due_at() ~ ", '" ~ (written | tojson) ~ "') returning refresh_id"
    )[0]['refresh_id']) %}
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

{# {schema: {relation: {column: type}}} of marts, by their names, and of their candidates. #}
{% macro columns_of_marts(names) %}
    {% set columns = {'analytics': {}, 'analytics_next': {}} %}
    {% for row in run_query(
        "select schema.nspname, class.relname, column_.attname, format_type(column_.atttypid, column_.atttypmod) as data_type"
        " from pg_namespace as schema"
        " inner join pg_class as class on class.relnamespace = schema.oid"
        " inner join pg_attribute as column_ on column_.attrelid = class.oid"
        " where schema.nspname in ('analytics', 'analytics_next') and class.relname in ('" ~ (names | join("', '")) ~ "')"
        " and class.relkind in ('r', 'v') and column_.attnum > 0 and not column_.attisdropped"
        " order by class.oid, column_.attnum"
    ) %}
        {% do columns[row['nspname']].setdefault(row['relname'], {}).update({row['attname']: row['data_type']}) %}
    {% endfor %}
    {% do return(columns) %}
{% endmacro %}

{# Statements that give a published mart the columns of its candidate, and the indexes by which refreshes and readers find rows. #}
{% macro shape_table_sql(node, candidate, published, is_forced) %}
    {%- set name = node.name -%}
    {%- if published is none -%}
        create table analytics.{{ name }} (like analytics_next.{{ name ~ '__changes including all' if node.config.materialized == 'mart' else name }});
        {%- for index in [{'columns': node.config.get('grouped_by')}] + node.config.get('indexes') %}
        create {{ 'unique' if index.get('unique') }} index on analytics.{{ name }} ({{ index['columns'] | join(', ') }})
        {%- if index.get('where') %} where {{ index['where'] }}{% endif %};
        {%- endfor %}
        {{ grant_to_analysts(name) }}
    {%- else -%}
        {%- set departed = [] -%}
        {%- for column, data_type in published.items() if candidate.get(column) != data_type -%}
            {%- do departed.append(column) -%}
        {%- endfor -%}
        {%- if departed and not is_forced -%}
            {%- do exceptions.raise_compiler_error(
                'Mart ' ~ name ~ ' is not published: its candidate no longer has ' ~ (departed | join(', ')) ~ ' as published. Restore the column,'
                ~ ' or accept the change with `runmart refresh --full`, which drops it from analytics.' ~ name ~ ' unless a view of a user needs it.'
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
        {%- else -%}
            select 1
        {%- endif -%}
    {%- endif %}
{% endmacro %}

{#
    Makes the rows of a published mart those of its candidate, by writing those that differ; gives {inserted, deleted}. Rows are compared as
    they are printed, which tells all values apart, down to the last bit; the columns that name the refresh do not count, so a row keeps the
    refresh that last changed it. A row that is written names the batch that touched its group, if one did. Those that went are counted before
    any is written, so that none meets the row, or the version of the history, whose place it takes.

    kept_by: the mart that keeps the history of this one, if there is one.
#}
{% macro publish_rows(node, candidate, is_full, published_at, kept_by) %}
    {%- set mart = 'analytics.' ~ node.name -%}
    {%- set columns = candidate.keys() | map('tojson') | join(', ') -%}
    {%- set compared = candidate.keys() | reject('in', ['refreshed_at', 'source_batch_id']) | map('tojson') | join(', ') -%}
    {# Materialized, so that rows are printed once, and the planner does not look up the statistics of every column. #}
    {% set written = run_query(
        "with published as materialized ("
        "select published.ctid as _place, row(" ~ qualified(compared, 'published') ~ ")::text as _image from " ~ mart ~ " as published"
        " where " ~ ('true' if is_full else is_in_touched_group(node, 'published'))
        ~ "), recomputed as materialized ("
        "select *, row(" ~ compared ~ ")::text as _image from analytics_next." ~ node.name ~ "__changes"
        "), deleted as ("
        "delete from " ~ mart ~ " where ctid in ("
        "select _place from published where not exists (select from recomputed where recomputed._image = published._image)"
        ") returning *)"
        ~ (', ended as (' ~ end_versions_sql(kept_by, published_at) ~ ' returning 1)' if kept_by else '') ~
        ", gone as ("
        "select count(*) as deleted_rows from deleted" ~ (' where (select count(*) from ended) >= 0' if kept_by else '')
        ~ "), inserted as ("
        "insert into " ~ mart ~ " (" ~ columns ~ ")"
        " select " ~ qualified(columns, 'recomputed').replace('recomputed."source_batch_id"', 'coalesce(touched.batch_id, recomputed."source_batch_id")')
        ~ " from recomputed cross join gone"
        " left join " ~ groups_of(node) ~ " as touched on " ~ is_group_of(node, 'recomputed') ~
        " where not exists (select from published where published._image = recomputed._image)"
        " returning *)"
        ~ (', begun as (' ~ begin_versions_sql(kept_by, 'inserted', columns, published_at) ~ ')' if kept_by else '') ~
        " select (select deleted_rows from gone) as deleted, count(*) as inserted from inserted"
    )[0] %}
    {% do return({'inserted': written['inserted'] | int, 'deleted': written['deleted'] | int}) %}
{% endmacro %}

{# A list of columns with the name of their relation before each. #}
{% macro qualified(columns, relation) %}
    {% do return(relation ~ '.' ~ columns.split(', ') | join(', ' ~ relation ~ '.')) %}
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
