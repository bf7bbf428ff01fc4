{#
    Arithmetic on doubles that came from outside: nothing in a source may end a refresh with an overflow, or spoil a statistic.
#}

{#
    Whether a value can be computed with: not NaN, not infinite, and below 1e100, so that squares and quotients stay doubles. NaN compares as
    the largest number. Values that cannot are counted and left out.
#}
{% macro is_usable(value) -%}
    coalesce(abs({{ value }}) < 1e100, false)
{%- endmacro %}

{# A value that can be computed with, else null; zero has one sign, because equal values of two signs come in any order. #}
{% macro usable(value) -%}
    case when {{ is_usable(value) }} then {{ value }} + 0 end
{%- endmacro %}

{# A square; below 1e-100 a value counts as zero. #}
{% macro square(value) -%}
    case when abs({{ value }}) < 1e-100 then 0 else {{ value }} * {{ value }} end
{%- endmacro %}

{# A quotient of doubles; null if the divisor is null or zero, where anything below 1e-100 counts as zero. #}
{% macro ratio(dividend, divisor) -%}
    case
        when coalesce(abs({{ divisor }}), 0) < 1e-100 then null
        when abs({{ dividend }}) < 1e-100 then 0
        else {{ dividend }} / {{ divisor }}
    end
{%- endmacro %}
