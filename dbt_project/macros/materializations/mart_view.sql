{% materialization mart_view, adapter='postgres' %}
    {{ return(made_view(candidate_of(this), sql)) }}
{% endmaterialization %}
