{#
    What SQL engines write differently. A model says what it means through these macros; another engine adds `<engine>__<macro>` here.
#}

{% macro type_double() %}{{ return(adapter.dispatch('type_double')()) }}{% endmacro %}
{% macro default__type_double() -%}
    double precision
{%- endmacro %}

{% macro json_or_null(column) %}{{ return(adapter.dispatch('json_or_null')(column)) }}{% endmacro %}
{% macro default__json_or_null(column) -%}
    ops.json_or_null({{ column }})
{%- endmacro %}

{% macro json_text(column, key) %}{{ return(adapter.dispatch('json_text')(column, key)) }}{% endmacro %}
{% macro default__json_text(column, key) -%}
    ({{ column }} ->> '{{ key }}')
{%- endmacro %}

{% macro json_number(column, key) %}{{ return(adapter.dispatch('json_number')(column, key)) }}{% endmacro %}
{% macro default__json_number(column, key) -%}
    {#- Null for what a double cannot hold, 1e400 and 1e-400 among it: one such value must not end a build. It is written with many digits. -#}
    {%- set number = "cast(" ~ column ~ " -> '" ~ key ~ "' as numeric)" %}
    case
        when jsonb_typeof({{ column }} -> '{{ key }}') <> 'number' then null
        when length({{ json_text(column, key) }}) < 300 or abs({{ number }}) between 5e-324 and 1.7976931348623157e308
            then cast({{ column }} -> '{{ key }}' as {{ type_double() }})
    end
{%- endmacro %}

{% macro json_time(column, key) %}{{ return(adapter.dispatch('json_time')(column, key)) }}{% endmacro %}
{% macro default__json_time(column, key) -%}
    ops.time_or_null({{ json_text(column, key) }})
{%- endmacro %}

{% macro seconds_between(start, end) %}{{ return(adapter.dispatch('seconds_between')(start, end)) }}{% endmacro %}
{% macro default__seconds_between(start, end) -%}
    cast(extract(epoch from ({{ end }} - {{ start }})) as {{ type_double() }})
{%- endmacro %}

{% macro utc_date(time) %}{{ return(adapter.dispatch('utc_date')(time)) }}{% endmacro %}
{% macro default__utc_date(time) -%}
    cast({{ time }} as date)
{%- endmacro %}

{% macro iso_weekday(day) %}{{ return(adapter.dispatch('iso_weekday')(day)) }}{% endmacro %}
{% macro default__iso_weekday(day) -%}
    cast(extract(isodow from {{ day }}) as integer)
{%- endmacro %}

{% macro iso_year(day) %}{{ return(adapter.dispatch('iso_year')(day)) }}{% endmacro %}
{% macro default__iso_year(day) -%}
    cast(extract(isoyear from {{ day }}) as integer)
{%- endmacro %}

{% macro date_name(day, pattern) %}{{ return(adapter.dispatch('date_name')(day, pattern)) }}{% endmacro %}
{% macro default__date_name(day, pattern) -%}
    trim(to_char({{ day }}, '{{ pattern }}'))
{%- endmacro %}

{% macro dates(first_day, last_day, relation, step='1 day') %}{{ return(adapter.dispatch('dates')(first_day, last_day, relation, step)) }}{% endmacro %}
{% macro default__dates(first_day, last_day, relation, step) -%}
    select cast(series.date_day as date) as date_day
    from {{ relation }}
    cross join lateral generate_series({{ first_day }}, {{ last_day }}, interval '{{ step }}') as series (date_day)
{%- endmacro %}

{% macro aggregate_in_order(function, value, order_by) %}{{ return(adapter.dispatch('aggregate_in_order')(function, value, order_by)) }}{% endmacro %}
{% macro default__aggregate_in_order(function, value, order_by) -%}
    {{ function }}({{ value }} order by {{ order_by }})
{%- endmacro %}

{% macro first_in_order(value, order_by, condition) %}{{ return(adapter.dispatch('first_in_order')(value, order_by, condition)) }}{% endmacro %}
{% macro default__first_in_order(value, order_by, condition) -%}
    (array_agg({{ value }} order by {{ order_by }}) filter (where {{ condition }}))[1]
{%- endmacro %}

{% macro last_in_order(value, order_by, condition) %}{{ return(adapter.dispatch('last_in_order')(value, order_by, condition)) }}{% endmacro %}
{% macro default__last_in_order(value, order_by, condition) -%}
    (array_agg({{ value }} order by {{ order_by }}) filter (where {{ condition }}))[count(*) filter (where {{ condition }})]
{%- endmacro %}

{% macro computed_once() %}{{ return(adapter.dispatch('computed_once')()) }}{% endmacro %}
{% macro default__computed_once() %}{% endmacro %}
{% macro postgres__computed_once() -%}
    offset 0
{%- endmacro %}

{% macro visited_in_order(order_by) %}{{ return(adapter.dispatch('visited_in_order')(order_by)) }}{% endmacro %}
{% macro default__visited_in_order(order_by) %}{% endmacro %}
{% macro postgres__visited_in_order(order_by) -%}
    order by {{ order_by }}
            offset 0
{%- endmacro %}

{% macro parents_left(changed, column, data_type='bigint') %}{{ return(adapter.dispatch('parents_left')(changed, column, data_type)) }}{% endmacro %}
{% macro default__parents_left(changed, column, data_type) -%}
    select
        cast(entry.parents ->> '{{ column }}' as {{ data_type }}) as {{ column }},
        changed._batch_id as batch_id
    from {{ changed }}
    cross join lateral jsonb_array_elements(changed._moved_from) as entry (parents)
    where changed._moved_from is not null
{%- endmacro %}

{% macro values_in_batches(relation, column, seen) %}{{ return(adapter.dispatch('values_in_batches')(relation, column, seen)) }}{% endmacro %}
{% macro default__values_in_batches(relation, column, seen) -%}
    select distinct
        {{ column }},
        _batch_id as batch_id
    from {{ relation }}
    where
        _batch_id > {{ seen }}
        and {{ column }} is not null
{%- endmacro %}
{% macro postgres__values_in_batches(relation, column, seen) -%}
    select
        {{ column }},
        batch_id
    from (
        with recursive step as (

            (
                select
                    {{ column }},
                    _batch_id as batch_id
                from {{ relation }}
                where
                    _batch_id > {{ seen }}
                    and {{ column }} is not null
                order by _batch_id desc, {{ column }} desc
                limit 1
            )

            union all

            select next_step.*
            from step
            cross join lateral (
                select
                    earlier.{{ column }},
                    earlier._batch_id
                from {{ relation }} as earlier
                where
                    earlier._batch_id > {{ seen }}
                    and earlier.{{ column }} is not null
                    and (earlier._batch_id, earlier.{{ column }}) < (step.batch_id, step.{{ column }})
                order by earlier._batch_id desc, earlier.{{ column }} desc
                limit 1
            ) as next_step

        )

        select * from step
    ) as steps
{%- endmacro %}

{% macro prefer_indexes() %}{{ return(adapter.dispatch('prefer_indexes')()) }}{% endmacro %}
{% macro default__prefer_indexes() %}{% endmacro %}
{% macro postgres__prefer_indexes() -%}
    set local enable_sort = off;
    set local enable_incremental_sort = off;
    set local random_page_cost = 0.1;
    set local seq_page_cost = 0.1
{%- endmacro %}

{% macro primary_key(relation) %}{{ return(adapter.dispatch('primary_key')(relation)) }}{% endmacro %}
{% macro postgres__primary_key(relation) -%}
    (
        select string_agg(key_columns.attname, ', ' order by key_columns.attname collate "C")
        from pg_index
        inner join pg_attribute as key_columns
            on
                pg_index.indrelid = key_columns.attrelid
                and key_columns.attnum = any(pg_index.indkey)
        where
            pg_index.indisprimary
            and pg_index.indrelid = cast('{{ dbt.escape_single_quotes(relation | string) }}' as regclass)
    )
{%- endmacro %}
