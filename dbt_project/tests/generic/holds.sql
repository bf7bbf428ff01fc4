{# Fails for each row for which the expression is false; an expression that is null holds. #}
{% test holds(model, expression) %}

select *
from {{ model }}
where not ({{ expression }})

{% endtest %}
