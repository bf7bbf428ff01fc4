{% macro recent_failure_hours() %}{{ return(7 * 24) }}{% endmacro %}
