{#
    A mart is configured in schema `analytics`, where analysts read it. Until it is published, its refresh lives in `analytics_next`: the rows
    of the groups that were recomputed in `<mart>__changes`, and the mart as it will be, the candidate, as a view of the name of the mart.
    Everything in this project that refers to a mart, tests included, means that candidate.
#}

{% macro candidate_of(relation) %}
    {% if relation.schema == 'analytics' and 'model.' ~ project_name ~ '.' ~ relation.identifier in graph.nodes %}
        {% do return(relation.incorporate(path={'schema': 'analytics_next'})) %}
    {% endif %}
    {% do return(relation) %}
{% endmacro %}

{% macro changes_of(relation) %}
    {% do return(relation.incorporate(path={'schema': 'analytics_next', 'identifier': relation.identifier ~ '__changes'}, type='table')) %}
{% endmacro %}

{% macro published_of(candidate) %}
    {% do return(candidate.incorporate(path={'schema': 'analytics'})) %}
{% endmacro %}

{% macro mart_of_candidate(candidate) %}
    {% do return(graph.nodes['model.' ~ project_name ~ '.' ~ candidate.identifier]) %}
{% endmacro %}

{% macro ref() %}
    {% do return(candidate_of(builtins.ref(*varargs, **kwargs))) %}
{% endmacro %}

{% macro postgres__get_columns_in_relation(relation) %}
    {% do return(dbt.postgres__get_columns_in_relation(candidate_of(relation))) %}
{% endmacro %}
