{#
    Arithmetic on doubles that came from outside: nothing in a source may end a refresh with an overflow, or spoil a statistic.
#}

{% macro is_usable(value) -%}
    coalesce(abs({{ value }}) < 1e100, false)
{%- endmacro %}

{% macro usable(value) -%}
    case when {{ is_usable(value) }} then {{ value }} + 0 end
{%- endmacro %}

{% macro square(value) -%}
    {{ product(value, value) }}
{%- endmacro %}

{% macro product(factor, value) -%}
    case when abs({{ value }}) < 1e-100 then 0 else {{ factor }} * {{ value }} end
{%- endmacro %}

{% macro ratio(dividend, divisor) -%}
    case
        when coalesce(abs({{ divisor }}), 0) < 1e-100 then null
        when abs({{ dividend }}) < 1e-100 then 0
        else {{ dividend }} / {{ divisor }}
    end
{%- endmacro %}
