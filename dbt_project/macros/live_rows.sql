{# The rows of a raw table that models may read. Staging reads raw through this macro only. #}
{% macro live_rows(source_relation) -%}
    select * from {{ source_relation }} where _deleted_at is null
{%- endmacro %}
