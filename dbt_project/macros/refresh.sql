{# The moment at which this refresh started, in UTC: one constant for every mart of a refresh. #}
{% macro refresh_started_at() -%}
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp)
{%- endmacro %}

{#
    The columns that say which refresh a mart row belongs to.

    systems: the systems that the mart reads; `source_batch_id` is the last batch of theirs that was committed when the mart read them.
#}
{% macro refresh_columns(systems) -%}
        cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}+00:00' as timestamp with time zone) as refreshed_at,
        (
            select max(batches.batch_id)
            from {{ ref('stg_ops__batches') }} as batches
            where
                batches.committed_at is not null
                and batches.system_name in ('{{ systems | join("', '") }}')
        ) as source_batch_id
{%- endmacro %}
