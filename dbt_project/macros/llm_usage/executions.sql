{% macro llm_usage__executions() -%}
    (
        {{ executions_in(ref('int_llm_usage__run_executions')) }}
        union all
        {{ executions_in(ref('int_llm_usage__step_executions')) }}
    ) as llm_usage
{%- endmacro %}
