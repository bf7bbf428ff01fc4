{#
    Publishing: the one step after which analysts see a refresh. One transaction brings each published mart to the rows of its candidate
    with DML on the rows that differ, so that readers neither wait nor see a mixture, nothing that users built on a published mart is
    dropped, and the cost is that of the change.
#}

{% macro publish_after_build(results) %}
    {% if execute and flags.WHICH == 'build' %}
        {% set own_results = results | selectattr('node.package_name', 'equalto', project_name) | list %}
        {% set unsuccessful = own_results | rejectattr('status', 'in', ['success', 'pass', 'warn', 'no-op']) | list %}
        {% set built = marts_among(own_results | map(attribute='node')) | map(attribute='name') | list %}
        {% if unsuccessful %}
            {% do log('Nothing is published: ' ~ (unsuccessful | length) ~ ' of ' ~ (own_results | length) ~ ' results failed or were skipped.', info=true) %}
        {% elif built and env_var('RUNMART_PUBLISH', '') == 'later' %}
            {% do prepare_publication() %}
        {% elif built %}
            {% do publish(built) %}
        {% endif %}
    {% endif %}
{% endmacro %}

{% macro publish(marts=none) %}
    {% if not execute %}{% do return(none) %}{% endif %}
    {% do run_query('begin; ' ~ hold_publications()) %}
    {% set published = run_query(publication_sql(marts))[0] %}
    {% do run_query('commit') %}
    {% set written = fromjson(published['marts']).values() | list %}
    {% do log('Published refresh ' ~ published['refresh_id'] ~ ': ' ~ (written | map(attribute='inserted') | sum) ~ ' rows written, '
        ~ (written | map(attribute='deleted') | sum) ~ ' removed.', info=true) %}
{% endmacro %}

{% macro prepare_publication() %}
    {% set left_out = env_var('RUNMART_LEFT_OUT', '').split() %}
    {% set marts = marts_of_project() | map(attribute='name') | reject('in', left_out) | list %}
    {% do run_query('begin; ' ~ commit_lazily() ~ '; ' ~ hold_publications()) %}
    {% do run_query("update analytics_next.refresh set publication = '" ~ publication_sql(marts).replace("'", "''") ~ "'") %}
    {% do run_query('commit') %}
{% endmacro %}

{% macro publication_sql(marts=none) %}
    {% set all_nodes = marts_of_project() %}
    {% set unknown = (marts or []) | reject('in', all_nodes | map(attribute='name') | list) | list %}
    {% if unknown %}
        {% do exceptions.raise_compiler_error('No such mart: ' ~ (unknown | join(', ')) ~ '. Name models of models/marts.') %}
    {% endif %}
    {% set nodes = all_nodes | selectattr('name', 'in', marts or (all_nodes | map(attribute='name') | list)) | sort(attribute='name') | list %}
    {% set tables = nodes | selectattr('config.materialized', 'equalto', 'mart') | list %}
    {% set histories = nodes | selectattr('config.materialized', 'equalto', 'mart_history') | list %}
    {% set views = nodes | selectattr('config.materialized', 'equalto', 'mart_view') | list %}
    {% set left = left_by_refresh(tables) %}
    {% if left %}
        {% do return(refuse("'the last refresh has not built " ~ (left | join(', ')) ~ ". Build them all with `runmart refresh`, or publish"
            ~ " the others by name.'")) %}
    {% endif %}

    {% set refresh = refresh_under_way() %}
    {% set all_histories = all_nodes | selectattr('config.materialized', 'equalto', 'mart_history') | list %}
    {% set columns = columns_of_marts((nodes + all_histories) | map(attribute='name') | unique | list) %}
    {% set candidate_columns = columns['analytics_next'] %}
    {% set published_columns = columns['analytics'] %}

    {% set statements = [
        hold_publications(),
        refuse('coalesce((' ~ mixture() ~ '), (' ~ unsound_raw() ~ '))'),
        begin_publication(),
    ] %}
    {% for node in tables + histories %}
        {% do statements.append(shape_table_sql(node, candidate_columns[node.name], published_columns.get(node.name), refresh['is_forced'])) %}
    {% endfor %}
    {% for node in tables %}
        {% set kept_by = all_histories | selectattr('config.history_of', 'equalto', node.name) | selectattr('name', 'in', published_columns) | list | first %}
        {% do statements.append(publish_rows_sql(node, candidate_columns[node.name], refresh['is_full'], kept_by)) %}
        {% if node.name not in published_columns %}
            {% do statements.append('analyze analytics.' ~ node.name) %}
        {% endif %}
    {% endfor %}
    {% for node in histories %}
        {% if node.name not in published_columns %}
            {% do statements.append(begin_history_sql(node)) %}
        {% endif %}
        {% do statements.append(forget_versions_sql(node)) %}
    {% endfor %}
    {% for node in views %}
        {% do statements.append(publish_view_sql(node.name, node.name in published_columns)) %}
    {% endfor %}
    {% for node in nodes %}
        {% if refresh['is_full'] or node.name not in published_columns %}
            {% set relation = api.Relation.create(schema='analytics', identifier=node.name, type='view' if node in views else 'table') %}
            {% do statements.extend([alter_relation_comment(relation, node.description), alter_column_comment(relation, node.columns)]) %}
        {% endif %}
    {% endfor %}
    {% do statements.append(record_refresh_sql(refresh, nodes | length == all_nodes | length)) %}
    {% do return(statements | map('trim') | map('trim', ';') | select | join(';\n')) %}
{% endmacro %}

{% macro hold_publications() -%}
    set local role {{ target.role }};
    lock table locks.publication in exclusive mode
{%- endmacro %}

{% macro begin_publication() -%}
    select set_config('runmart.published_at', clock_timestamp()::text, true), set_config('runmart.written', '{}', true)
{%- endmacro %}

{% macro published_at() -%}
    current_setting('runmart.published_at')::timestamptz
{%- endmacro %}

{% macro refuse(complaint) -%}
    do $refuse$
    declare complaint text := {{ complaint }};
    begin
        if complaint is not null then
            raise exception 'Nothing is published: %', complaint;
        end if;
    end
    $refuse$
{%- endmacro %}

{% macro marts_of_project() %}
    {% do return(marts_among(nodes_of_project())) %}
{% endmacro %}

{% macro marts_among(nodes) %}
    {% do return(nodes | selectattr('resource_type', 'equalto', 'model') | selectattr('schema', 'equalto', 'analytics') | list) %}
{% endmacro %}

{% macro nodes_of_project() %}
    {% do return(graph.nodes.values() | selectattr('package_name', 'equalto', project_name) | list) %}
{% endmacro %}

{% macro mixture() -%}
    select 'a sync wrote new rows while the marts were built, or the build did not end. Run `runmart refresh` again.'
    from analytics_next.refresh
    where not is_whole
{%- endmacro %}

{% macro left_by_refresh(nodes) %}
    {% set built = run_query(
        "select built.relation from analytics_next.built as built inner join analytics_next.refresh as refresh"
        " on built.refresh_started_at = refresh.started_at"
    ).columns['relation'].values() %}
    {% do return(nodes | map(attribute='name') | reject('in', built | map('replace', 'analytics_next.', '') | map('replace', '__changes', '') | list) | list) %}
{% endmacro %}

{% macro record_refresh_sql(refresh, is_complete) -%}
    insert into ops.refreshes (started_at, published_at, definition, project_files, batches, is_full, is_complete, next_due_at, marts)
    values (
        '{{ refresh['started_at'] }}+00', {{ published_at() }}, '{{ refresh['definition'] }}', nullif('{{ env_var('RUNMART_PROJECT_FILES', '') }}', ''),
        '{{ refresh['batches'] | tojson }}', {{ refresh['is_full'] }}, {{ is_complete }}, {{ next_due_at() }}, current_setting('runmart.written')::jsonb
    )
    returning refresh_id, marts::text
{%- endmacro %}

{% macro unsound_raw() -%}
    select string_agg(asset_key || ' fails ' || expectations, '; ' order by asset_key) || '. Correct the source and run `runmart sync`.'
    from (
        select asset_key, string_agg(expectation, ', ' order by expectation) as expectations
        from (
            select distinct on (asset_key, expectation) asset_key, expectation, severity, is_success
            from quality.validation_results
            where asset_key not like 'analytics/%'
            order by asset_key, expectation, validated_at desc
        ) as latest
        where severity = 'critical' and not is_success
        group by asset_key
    ) as failing
{%- endmacro %}

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
            {{ give_up_soon() }}
            {%- for column in departed %}
        alter table analytics.{{ name }} drop column {{ adapter.quote(column) }};
            {%- endfor %}
            {%- for column in arrived %}
        alter table analytics.{{ name }} add column {{ adapter.quote(column) }} {{ candidate[column] }};
            {%- endfor %}
        {%- endif -%}
    {%- endif %}
{% endmacro %}

{% macro give_up_soon() -%}
    set local lock_timeout = '5s';
{% endmacro %}

{% macro publish_rows_sql(node, candidate, is_full, kept_by) -%}
    {%- set mart = 'analytics.' ~ node.name -%}
    {%- set columns = get_quoted_csv(candidate.keys()) -%}
    {%- set batch = 'recomputed.' ~ adapter.quote('source_batch_id') -%}
    {%- set compared = get_quoted_csv(candidate.keys() | reject('in', ['refreshed_at', 'source_batch_id'])) -%}
    {# Materialized, so that rows are printed once, and the planner does not look up the statistics of every column. #}
    with published as materialized (
        select published.ctid as _place, row({{ qualified(compared, 'published') }})::text as _image
        from {{ mart }} as published
        where {{ 'true' if is_full else is_in_touched_group(node, 'published') }}
    ), recomputed as materialized (
        select *, row({{ compared }})::text as _image from analytics_next.{{ node.name }}__changes
    ), deleted as (
        delete from {{ mart }}
        where ctid in (select _place from published where not exists (select from recomputed where recomputed._image = published._image))
        returning *
    ),
    {%- if kept_by %} ended as (
        {{ end_versions_sql(kept_by) }}
        returning 1
    ),
    {%- endif %} gone as (
        select count(*) as deleted_rows from deleted{{ ' where (select count(*) from ended) >= 0' if kept_by }}
    ), inserted as (
        insert into {{ mart }} ({{ columns }})
        select {{ qualified(columns, 'recomputed').replace(batch, 'coalesce(touched.batch_id, ' ~ batch ~ ')') }}
        from recomputed
        cross join gone
        left join {{ groups_of(node) }} as touched on {{ is_group_of(node, 'recomputed') }}
        where not exists (select from published where published._image = recomputed._image)
        returning *
    )
    {%- if kept_by %}, begun as (
        {{ begin_versions_sql(kept_by, 'inserted', columns) }}
    )
    {%- endif %}
    select set_config(
        'runmart.written',
        (
            current_setting('runmart.written')::jsonb || jsonb_build_object(
                '{{ node.name }}',
                jsonb_build_object('inserted', (select count(*) from inserted), 'deleted', (select deleted_rows from gone))
            )
        )::text,
        true
    )
{%- endmacro %}

{% macro qualified(columns, relation) %}
    {% do return(relation ~ '.' ~ columns.split(', ') | join(', ' ~ relation ~ '.')) %}
{% endmacro %}

{% macro publish_view_sql(name, is_published) %}
    {% set wanted = definition_of_view('analytics_next', name) %}
    {% if not is_published or definition_of_view('analytics', name) != wanted %}
        {% do return(
            (give_up_soon() if is_published else '') ~ 'set local search_path = analytics; create or replace view analytics.' ~ name ~ ' as ' ~ wanted ~ ('' if is_published else grant_to_analysts(name))
        ) %}
    {% endif %}
    {% do return('') %}
{% endmacro %}

{% macro definition_of_view(schema, name) %}
    {% do run_query('set local search_path = ' ~ schema) %}
    {% do return(run_query("select pg_get_viewdef('" ~ schema ~ "." ~ name ~ "'::regclass) as definition")[0]['definition']) %}
{% endmacro %}

{% macro grant_to_analysts(name) %}
        grant usage on schema analytics to runmart_analyst;
        grant select on analytics.{{ name }} to runmart_analyst;
{% endmacro %}
