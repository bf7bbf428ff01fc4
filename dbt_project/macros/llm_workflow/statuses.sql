{% macro llm_status(status) -%}
    case {{ status }}
        when 'pending' then 'queued'
        when 'running' then 'running'
        when 'paused' then 'paused'
        when 'completed' then 'succeeded'
        when 'failed' then 'failed'
        when 'skipped' then 'cancelled'
        else 'unknown'
    end
{%- endmacro %}
