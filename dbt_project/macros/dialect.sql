{#
    What SQL engines write differently. A model says what it means through these macros; another engine adds `<engine>__<macro>` here.
#}

{% macro type_double() %}{{ return(adapter.dispatch('type_double')()) }}{% endmacro %}
{% macro default__type_double() -%}
    double precision
{%- endmacro %}

{% macro type_text() %}{{ return(adapter.dispatch('type_text')()) }}{% endmacro %}
{% macro default__type_text() -%}
    text
{%- endmacro %}

{% macro type_timestamp_ntz() %}{{ return(adapter.dispatch('type_timestamp_ntz')()) }}{% endmacro %}
{% macro default__type_timestamp_ntz() -%}
    timestamp
{%- endmacro %}

{% macro type_timestamp_tz() %}{{ return(adapter.dispatch('type_timestamp_tz')()) }}{% endmacro %}
{% macro default__type_timestamp_tz() -%}
    timestamp with time zone
{%- endmacro %}

{% macro mean_of_numerics(total, count) %}{{ return(adapter.dispatch('mean_of_numerics')(total, count)) }}{% endmacro %}
{% macro default__mean_of_numerics(total, count) -%}
    {{ total }} / nullif({{ count }}, 0)
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

{% macro json_last(column) %}{{ return(adapter.dispatch('json_last')(column)) }}{% endmacro %}
{% macro default__json_last(column) -%}
    case when jsonb_typeof({{ column }}) = 'array' then {{ column }} -> -1 else {{ column }} end
{%- endmacro %}

{% macro json_has(column, key) %}{{ return(adapter.dispatch('json_has')(column, key)) }}{% endmacro %}
{% macro default__json_has(column, key) -%}
    coalesce(jsonb_typeof({{ column }} -> '{{ key }}') <> 'null', false)
{%- endmacro %}

{% macro json_object(column, key) %}{{ return(adapter.dispatch('json_object')(column, key)) }}{% endmacro %}
{% macro default__json_object(column, key) -%}
    case when jsonb_typeof({{ column }} -> '{{ key }}') = 'object' then {{ column }} -> '{{ key }}' end
{%- endmacro %}

{% macro json_count(column, key) %}{{ return(adapter.dispatch('json_count')(column, key)) }}{% endmacro %}
{% macro default__json_count(column, key) -%}
    {#- Sums of some thousands of these still fit a bigint. -#}
    {%- set number = "cast(" ~ column ~ " -> '" ~ key ~ "' as numeric)" %}
    case
        when jsonb_typeof({{ column }} -> '{{ key }}') <> 'number' then null
        when {{ number }} between 0 and 999999999999999 and {{ number }} = trunc({{ number }}) then cast({{ number }} as bigint)
    end
{%- endmacro %}

{% macro error_class(message) %}{{ return(adapter.dispatch('error_class')(message)) }}{% endmacro %}
{% macro default__error_class(message) -%}
    {#- Identifiers and times first: numbers are parts of them. A number that is part of a word is a name. -#}
    {%- set line = "split_part(btrim(" ~ message ~ ", e' \\t\\r\\n'), e'\\n', 1)" %}
    {%- set ids = "\\m([0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|0x[0-9a-f]+|(?=[a-f]*[0-9])[0-9a-f]{12,})\\M" %}
    {%- set times = "\\m([0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?[-+][0-9]{2}(:?[0-9]{2})?|Z)?)?|[0-9]{8}T[0-9]{6}Z?)\\M" %}
    {%- set numbers = "(?<![[:alnum:]_.])[-+]?([0-9]+([.,][0-9]+)*|[.][0-9]+)(e[-+]?[0-9]+)?(?![[:alnum:]_])" %}
    {%- set class = namespace(sql=line) %}
    {%- for pattern, word in [(ids, '<id>'), (times, '<time>'), (numbers, '<number>')] %}
        {%- set class.sql = "regexp_replace(" ~ class.sql ~ ", '" ~ pattern ~ "', '" ~ word ~ "', 'gi')" %}
    {%- endfor -%}
    nullif(left(btrim({{ class.sql }}, e' \t\r'), 200), '')
{%- endmacro %}

{% macro seconds_between(start, end) %}{{ return(adapter.dispatch('seconds_between')(start, end)) }}{% endmacro %}
{% macro default__seconds_between(start, end) -%}
    cast(extract(epoch from ({{ end }} - {{ start }})) as {{ type_double() }})
{%- endmacro %}

{% macro hours_after(time, hours) %}{{ return(adapter.dispatch('hours_after')(time, hours)) }}{% endmacro %}
{% macro default__hours_after(time, hours) -%}
    {{ time }} + interval '{{ hours }} hours'
{%- endmacro %}

{% macro utc_now() %}{{ return(adapter.dispatch('utc_now')()) }}{% endmacro %}
{% macro default__utc_now() -%}
    (current_timestamp at time zone 'UTC')
{%- endmacro %}

{% macro utc(time) %}{{ return(adapter.dispatch('utc')(time)) }}{% endmacro %}
{% macro default__utc(time) -%}
    ({{ time }} at time zone 'UTC')
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

{% macro list_in_order(value, order_by, separator=',') %}{{ return(adapter.dispatch('list_in_order')(value, order_by, separator)) }}{% endmacro %}
{% macro default__list_in_order(value, order_by, separator) -%}
    string_agg(cast({{ value }} as {{ type_text() }}), '{{ separator }}' order by {{ order_by }})
{%- endmacro %}

{% macro list_distinct(value) %}{{ return(adapter.dispatch('list_distinct')(value)) }}{% endmacro %}
{% macro default__list_distinct(value) -%}
    {%- set text = "cast(" ~ value ~ " as " ~ type_text() ~ ")" -%}
    string_agg(distinct {{ text }}, ',' order by {{ text }})
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
