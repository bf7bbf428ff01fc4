{#
    Whether a value can be computed with: not NaN, not infinite, and small enough that its square is still a double. NaN compares as the
    largest number. Values that cannot are counted and left out of statistics, so that one of them does not spoil all.
#}
{% macro is_usable(value) -%}
    coalesce(abs({{ value }}) < 1e150, false)
{%- endmacro %}

{# A square that is zero, not an error, where it is too small for a double. #}
{% macro square(value) -%}
    case when abs({{ value }}) < 1e-150 then 0 else {{ value }} * {{ value }} end
{%- endmacro %}

{# A quotient of doubles, null if the divisor is zero. #}
{% macro ratio(dividend, divisor) -%}
    {{ dividend }} / nullif({{ divisor }}, 0)
{%- endmacro %}
