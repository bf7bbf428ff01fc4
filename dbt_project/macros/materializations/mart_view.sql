{# A view on marts: in the candidate schema it reads candidates; `publish` makes the same view on published marts. #}
{% materialization mart_view, adapter='postgres' %}
    {{ return(made_view(candidate_of(this), sql)) }}
{% endmaterialization %}
