{#
    A mart is configured in schema `analytics`, where analysts read it. Until it is published, its refresh lives in `analytics_next`: the rows
    of the groups that were recomputed in `<mart>__changes`, and the mart as it will be, the candidate, as a view of the name of the mart.
    Everything in this project that refers to a mart, tests included, means that candidate.
#}

{# The candidate of a published relation; any other relation (staging, a unit test's fixture) is returned as it is. #}
{% macro candidate_of(relation) %}
    {% if relation.schema == 'analytics' %}
        {% do return(relation.incorporate(path={'schema': 'analytics_next'})) %}
    {% endif %}
    {% do return(relation) %}
{% endmacro %}

{# The table with the rows that a refresh has recomputed. #}
{% macro changes_of(relation) %}
    {% do return(relation.incorporate(path={'schema': 'analytics_next', 'identifier': relation.identifier ~ '__changes'}, type='table')) %}
{% endmacro %}

{% macro ref() %}
    {% do return(candidate_of(builtins.ref(*varargs, **kwargs))) %}
{% endmacro %}

{# Unit tests take the types of their fixtures from here, also before a mart has ever been published. #}
{% macro postgres__get_columns_in_relation(relation) %}
    {% do return(dbt.postgres__get_columns_in_relation(candidate_of(relation))) %}
{% endmacro %}

{#
    What a data test reads. Rows of groups that a refresh leaves alone are as they were published, after their tests; so a test that looks at one
    row at a time, or at rows of the same group, reads the recomputed rows of a mart only. A test that only warns reads all: it goes on warning.
#}
{% macro default__get_where_subquery(relation) %}
    {% set is_candidate = execute and relation.schema == 'analytics_next' and not config.get('where') and config.get('severity', 'error') | lower == 'error' %}
    {% if is_candidate and not refresh_under_way()['is_full'] %}
        {% set node = graph.nodes['model.' ~ project_name ~ '.' ~ relation.identifier] %}
        {% set test, arguments = model.test_metadata.name, model.test_metadata.kwargs %}
        {% set grain = arguments.columns if test == 'unique_grain' else [arguments.column_name] %}
        {% set is_of_rows = test in ['not_null', 'accepted_values', 'holds'] %}
        {% set is_of_groups = test in ['unique', 'unique_grain'] and not node.config.get('grouped_by', []) | reject('in', grain) | list %}
        {% if node.config.materialized == 'mart' and (is_of_rows or is_of_groups) %}
            {% do return(changes_of(relation)) %}
        {% endif %}
    {% endif %}
    {% do return(dbt.default__get_where_subquery(relation)) %}
{% endmacro %}
