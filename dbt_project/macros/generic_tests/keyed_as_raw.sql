{% test keyed_as_raw(model, raw, columns) %}

{%- set key = columns | sort | join(', ') %}

select '{{ dbt.escape_single_quotes(key) }}' as declared_key
where {{ primary_key(raw) }} is distinct from '{{ dbt.escape_single_quotes(key) }}'

{% endtest %}
