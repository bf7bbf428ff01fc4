{#
    The dialect of no engine, for `test_portable_sql`: it stands for dbt_project/macros/dialect.sql. What is left in a model is what the model
    itself says; what it says through a macro is a type or a function of the name `dialect_…`, or a query of nothing but columns.
#}

{% macro type_double() %}dialect_double{% endmacro %}
{% macro type_text() %}dialect_text{% endmacro %}
{% macro type_timestamp_ntz() %}dialect_timestamp_ntz{% endmacro %}
{% macro type_timestamp_tz() %}dialect_timestamp_tz{% endmacro %}

{% macro mean_of_numerics(total, count) %}dialect_mean_of_numerics({{ total }}, {{ count }}){% endmacro %}
{% macro json_or_null(column) %}dialect_json_or_null({{ column }}){% endmacro %}
{% macro json_text(column, key) %}dialect_json_text({{ column }}, '{{ key }}'){% endmacro %}
{% macro json_number(column, key) %}dialect_json_number({{ column }}, '{{ key }}'){% endmacro %}
{% macro json_time(column, key) %}dialect_json_time({{ column }}, '{{ key }}'){% endmacro %}
{% macro json_last(column) %}dialect_json_last({{ column }}){% endmacro %}
{% macro json_has(column, key) %}dialect_json_has({{ column }}, '{{ key }}'){% endmacro %}
{% macro json_object(column, key) %}dialect_json_object({{ column }}, '{{ key }}'){% endmacro %}
{% macro json_count(column, key) %}dialect_json_count({{ column }}, '{{ key }}'){% endmacro %}
{% macro error_class(message) %}dialect_error_class({{ message }}){% endmacro %}
{% macro seconds_between(start, end) %}dialect_seconds_between({{ start }}, {{ end }}){% endmacro %}
{% macro hours_after(time, hours) %}dialect_hours_after({{ time }}, {{ hours }}){% endmacro %}
{% macro utc_now() %}dialect_utc_now(){% endmacro %}
{% macro utc(time) %}dialect_utc({{ time }}){% endmacro %}
{% macro utc_date(time) %}dialect_utc_date({{ time }}){% endmacro %}
{% macro iso_weekday(day) %}dialect_iso_weekday({{ day }}){% endmacro %}
{% macro iso_year(day) %}dialect_iso_year({{ day }}){% endmacro %}
{% macro date_name(day, pattern) %}dialect_date_name({{ day }}, '{{ pattern }}'){% endmacro %}
{% macro aggregate_in_order(function, value, order_by) %}dialect_aggregate('{{ function }}', {{ value }} order by {{ order_by }}){% endmacro %}
{% macro list_in_order(value, order_by, separator=',') %}dialect_list({{ value }} order by {{ order_by }}){% endmacro %}
{% macro list_distinct(value) %}dialect_list({{ value }}){% endmacro %}
{% macro first_in_order(value, order_by, condition) %}dialect_first({{ condition }}, {{ value }} order by {{ order_by }}){% endmacro %}
{% macro last_in_order(value, order_by, condition) %}dialect_last({{ condition }}, {{ value }} order by {{ order_by }}){% endmacro %}

{% macro dates(first_day, last_day, relation, step='1 day') -%}
    select dialect_dates({{ first_day }}, {{ last_day }}, '{{ step }}') as date_day from {{ relation }}
{%- endmacro %}

{% macro visited_in_order(order_by) %}order by {{ order_by }}{% endmacro %}
{% macro computed_once() %}{% endmacro %}
{% macro primary_key(relation) %}dialect_primary_key('{{ relation }}'){% endmacro %}
