{% test has_all_executions(model) %}

with raw as (

    {{ executions_in_raw() }}

),

expected as (

    select
        system_name,
        sum(execution_count) as execution_count
    from raw
    group by system_name

),

found as (

    select
        system_name,
        count(*) as row_count
    from {{ model }}
    group by system_name

)

select
    expected.system_name,
    expected.execution_count,
    coalesce(found.row_count, 0) as row_count
from expected
left join found on expected.system_name = found.system_name
where expected.execution_count <> coalesce(found.row_count, 0)

{% endtest %}
