{#
    A refresh: what it has to do, decided once when dbt starts, and what its rows say of it.
#}

{% macro begin_refresh() %}
    {% do graph.update({'refresh': none, 'built': none}) %}
    {% if not is_refresh() %}{% do return('') %}{% endif %}
    {% do run_query(begin_building()) %}
    {% do run_query(
        'create table if not exists analytics_next.refresh ('
        'started_at timestamptz not null, definition text not null, seen jsonb not null, seen_at timestamptz, batches jsonb not null,'
        ' is_full boolean not null, is_forced boolean not null, is_whole boolean not null, publication text);'
        ' alter table analytics_next.refresh add column if not exists seen_at timestamptz, add column if not exists publication text;'
        ' create table if not exists analytics_next.built ('
        'relation text primary key, definition text not null, refresh_started_at timestamptz, sql text);'
        ' alter table analytics_next.built add column if not exists sql text'
    ) %}
    {% set digest = definition() %}
    {% set marts = marts_of_project() | selectattr('config.materialized', 'equalto', 'mart') | map(attribute='name') | list %}
    {% set refresh = run_query(
        "with last as ("
        "select refresh_id, started_at, batches from ops.refreshes where is_complete order by refresh_id desc limit 1"
        "), current as ("
        "select coalesce(jsonb_object_agg(system, batch_id), '{}') as batches from ops.sync_state"
        "), missing as ("
        "select count(*) as marts from unnest(array['" ~ (marts | join("', '")) ~ "']) as mart (name)"
        " where to_regclass('analytics.' || mart.name) is null"
        "), removed as ("
        "delete from analytics_next.refresh"
        ")"
        " insert into analytics_next.refresh (started_at, definition, seen, seen_at, batches, is_full, is_forced, is_whole)"
        " select '" ~ run_started_at.isoformat() ~ "', '" ~ digest ~ "', coalesce(last.batches, '{}'), last.started_at, current.batches,"
        " " ~ flags.FULL_REFRESH ~ " or last.batches is null or missing.marts > 0 or not exists (select from analytics_next.built)"
        " or exists (select from ops.refreshes as r where r.refresh_id >= last.refresh_id and r.definition <> '" ~ digest ~ "')"
        " or not last.batches ?& array(select jsonb_object_keys(current.batches))"
        " or exists (select from ops.table_syncs as s where s.batch_id > (last.batches ->> s.system)::bigint and s.found_by like '%first load%'),"
        " " ~ flags.FULL_REFRESH ~ ", false"
        " from current cross join missing left join last on true"
        " returning " ~ columns_of_refresh()
    )[0] %}
    {# `graph` is what all nodes of a command share: what holds for all of them is asked once. #}
    {% do graph.update({'refresh': read_refresh(refresh), 'built': relations_built()}) %}
    {% do run_query('commit') %}
{% endmacro %}

{% macro begin_building() -%}
    begin; set local role {{ target.role }}; {{ commit_lazily() }}
{%- endmacro %}

{% macro commit_lazily() -%}
    set local synchronous_commit = off
{%- endmacro %}

{% macro is_refresh() %}
    {% set models = [] %}
    {% for unique_id in selected_resources or [] if unique_id.startswith('model.' ~ project_name ~ '.') %}{% do models.append(unique_id) %}{% endfor %}
    {% do return(execute and flags.WHICH in ['build', 'run'] and models | length > 0) %}
{% endmacro %}

{% macro end_refresh() %}
    {% if is_refresh() %}
        {% do run_query(begin_building()) %}
        {% do run_query(
            "update analytics_next.refresh set is_whole ="
            " batches = (select coalesce(jsonb_object_agg(system, batch_id), '{}') from ops.sync_state)"
        ) %}
        {% do run_query('commit') %}
    {% endif %}
{% endmacro %}

{% macro refresh_under_way() %}
    {% if not execute or flags.WHICH not in ['build', 'run', 'run-operation'] or (model is defined and model.resource_type == 'unit_test') %}
        {% do return({'is_full': true, 'started_at': run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f'), 'seen': {}, 'batches': {}}) %}
    {% endif %}
    {% do return(graph['refresh'] or last_refresh()) %}
{% endmacro %}

{% macro last_refresh() %}
    {% do return(read_refresh(run_query('select ' ~ columns_of_refresh() ~ ' from analytics_next.refresh')[0])) %}
{% endmacro %}

{% macro columns_of_refresh() -%}
    to_char(started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as started_at, definition, seen::text as seen,
    to_char(seen_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as seen_at, batches::text as batches, is_full, is_forced, is_whole
{%- endmacro %}

{% macro read_refresh(row) %}
    {% do return({
        'started_at': row['started_at'], 'definition': row['definition'], 'seen': fromjson(row['seen']), 'seen_at': row['seen_at'], 'batches': fromjson(row['batches']),
        'is_full': row['is_full'], 'is_forced': row['is_forced'], 'is_whole': row['is_whole'],
    }) %}
{% endmacro %}

{% macro is_built(relation) %}
    {% do return(relation.schema ~ '.' ~ relation.identifier in graph['built']) %}
{% endmacro %}

{% macro relations_built() %}
    {% set built = {} %}
    {% for row in run_query(
        "select built.relation, class.relpages > 100 as is_large from analytics_next.built as built"
        " inner join analytics_next.refresh as refresh on built.definition = refresh.definition"
        " inner join pg_class as class on class.oid = to_regclass(built.relation)"
        " where built.sql is not null or not refresh.is_full"
    ) %}
        {% do built.update({row['relation']: row['is_large']}) %}
    {% endfor %}
    {% do return(built) %}
{% endmacro %}

{% macro empty_built(relation) %}
    {% set is_large = graph['built'][relation.schema ~ '.' ~ relation.identifier] %}
    {% do run_query(
        commit_lazily() ~ '; lock table ' ~ relation ~ ' in exclusive mode; '
        ~ ('truncate ' if is_large else 'delete from ') ~ relation
    ) %}
{% endmacro %}

{% macro drop_built(relation) %}
    {% set name = relation.schema ~ '.' ~ relation.identifier %}
    {% for row in run_query("select case relkind when 'v' then 'view' else 'table' end as kind from pg_class where oid = to_regclass('" ~ name ~ "')") %}
        {% do run_query('drop ' ~ row['kind'] ~ ' ' ~ name ~ ' cascade') %}
        {# What was built on it has gone too. #}
        {% do graph.update({'built': relations_built()}) %}
    {% endfor %}
{% endmacro %}

{% macro note_built(relation) %}
    {% do run_query(
        "insert into analytics_next.built (relation, definition, refresh_started_at, sql)"
        " select '" ~ relation.schema ~ '.' ~ relation.identifier ~ "', definition, started_at,"
        " case when is_full then"
        " replace('" ~ sql.replace("'", "''") ~ "', to_char(started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '{refresh_started_at}')"
        " end"
        " from analytics_next.refresh"
        " on conflict (relation) do update set definition = excluded.definition, refresh_started_at = excluded.refresh_started_at,"
        " sql = coalesce(excluded.sql, built.sql)"
    ) %}
{% endmacro %}

{% macro forget_built(relation) %}
    {% do run_query("delete from analytics_next.built where relation = '" ~ relation.schema ~ '.' ~ relation.identifier ~ "'") %}
{% endmacro %}

{% macro definition() %}
    {% set parts = [dbt_version, var('systems') | tojson, var('zombie_after_hours') | string] %}
    {% for node in nodes_of_project() | selectattr('resource_type', 'equalto', 'model') | sort(attribute='unique_id') %}
        {% do parts.extend([node.unique_id, node.raw_code, node.columns.values() | map(attribute='data_type') | join(',')]) %}
    {% endfor %}
    {% for node in nodes_of_project() | selectattr('resource_type', 'equalto', 'test') | sort(attribute='unique_id') %}
        {% do parts.extend([node.unique_id, node.config.severity]) %}
    {% endfor %}
    {% for name in context.keys() | sort if context[name].macro is defined and context[name].macro.package_name == project_name %}
        {% do parts.append(context[name].macro.macro_sql) %}
    {% endfor %}
    {% do return(local_md5(parts | join('\n'))) %}
{% endmacro %}

{% macro refresh_started_at() -%}
    cast('{{ refresh_under_way()['started_at'] }}' as {{ type_timestamp_ntz() }})
{%- endmacro %}

{% macro refresh_columns(systems) -%}
    {%- set refresh = refresh_under_way() -%}
    {%- set batches = [] -%}
    {%- for system in systems if system in refresh['batches'] %}{% do batches.append(refresh['batches'][system]) %}{% endfor %}
        cast('{{ refresh['started_at'] }}+00:00' as {{ type_timestamp_tz() }}) as refreshed_at,
        cast({{ batches | max if batches else 'null' }} as bigint) as source_batch_id
{%- endmacro %}

{% macro next_due_at() -%}
    (
        select least(
            min(started_at) at time zone 'UTC' + interval '{{ var('zombie_after_hours') }} hours',
            (date_trunc('year', {{ refresh_started_at() }}) + interval '1 year') at time zone 'UTC'
        )
        from analytics.fct_runs
        where status = 'running' and not is_zombie
    )
{%- endmacro %}
