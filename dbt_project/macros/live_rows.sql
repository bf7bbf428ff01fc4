{% macro live_rows(source_relation) -%}
    select * from {{ source_relation }} where _deleted_at is null and _quarantined_at is null
{%- endmacro %}
