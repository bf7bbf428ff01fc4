{#
    What is known about metrics by name, and the statistics that marts hold of them.
#}

{# Metrics by direction. A metric that is not listed has no direction, and then neither best nor worst: it is never guessed. #}
{% macro metrics_by_direction() %}
    {% do return({
        'lower': [
            'mae', 'mse', 'rmse', 'rmsle', 'msle', 'medae', 'smape', 'mape', 'wape', 'wmape', 'mase', 'msse', 'rmsse', 'rmae', 'loss',
            'train_loss', 'val_loss', 'log_loss', 'mqloss', 'quantile_loss', 'pinball', 'pinball_loss', 'winkler', 'winkler_score',
            'interval_score', 'crps', 'scaled_crps', 'aic', 'aicc', 'bic', 'hqic', 'max_error'
        ],
        'higher': ['r2', 'r2_score', 'accuracy', 'f1', 'f1_score', 'precision', 'recall', 'auc', 'roc_auc', 'skill', 'log_likelihood', 'llf'],
        'target': ['coverage', 'bias', 'mean_error', 'mpe'],
    }) %}
{% endmacro %}

{#
    lower, higher, or target (best near a nominal value: neither low nor high), null if unknown. A number at the end of a name is a level
    or a step and does not matter: coverage_90 is a coverage.
#}
{% macro metric_direction(metric_name) -%}
    case
        {%- for direction, names in metrics_by_direction().items() %}
        when
            lower({{ metric_name }}) in ('{{ names | join("', '") }}')
            or regexp_replace(lower({{ metric_name }}), '[_@-][0-9.]+$', '') in ('{{ names | join("', '") }}')
            then '{{ direction }}'
        {%- endfor %}
    end
{%- endmacro %}

{# The statistics of `metric_statistics` that have columns of their own in the wide marts. #}
{% macro wide_statistics() %}
    {% do return(['best', 'last', 'worst', 'mean', 'median', 'std', 'count']) %}
{% endmacro %}

{#
    Statistics of int_metrics_classified by any keys: one query, so that each statistic has one formula. Values that are NaN, infinite or too
    large are counted and take no part.

    keys: columns of the grain; metric_name, split and metric_direction always belong to it.
#}
{% macro metric_statistics(keys) -%}
    {%- set grain = keys + ['metric_name', 'split', 'metric_direction'] -%}
    with ordered as (

        select
            *,
            row_number() over (
                partition by {{ grain | join(', ') }}, is_usable
                order by metric_step nulls first, measured_at, metric_id
            ) as position_from_first,
            row_number() over (
                partition by {{ grain | join(', ') }}, is_usable
                order by metric_step desc nulls last, measured_at desc, metric_id desc
            ) as position_from_last,
            row_number() over (
                partition by {{ grain | join(', ') }}, is_usable
                order by
                    case metric_direction when 'lower' then metric_value when 'higher' then -metric_value end nulls last,
                    metric_step nulls first,
                    metric_id
            ) as position_from_best
        from {{ ref('int_metrics_classified') }}

    ),

    summarised as (

        select
            {{ grain | join(',\n            ') }},
            count(*) filter (where is_usable) as value_count,
            count(*) filter (where not is_usable) as unusable_count,
            min(metric_value) filter (where is_usable) as min_value,
            max(metric_value) filter (where is_usable) as max_value,
            avg(metric_value) filter (where is_usable) as mean_value,
            percentile_cont(0.5) within group (order by metric_value) filter (where is_usable) as median_value,
            stddev_samp(metric_value) filter (where is_usable) as std_value,
            percentile_cont(0.25) within group (order by metric_value) filter (where is_usable) as q1_value,
            percentile_cont(0.75) within group (order by metric_value) filter (where is_usable) as q3_value,
            max(metric_value) filter (where is_usable and position_from_first = 1) as first_value,
            max(metric_value) filter (where is_usable and position_from_last = 1) as last_value,
            max(metric_step) filter (where is_usable and position_from_last = 1) as last_step,
            max(metric_step) filter (
                where is_usable and position_from_best = 1 and metric_direction in ('lower', 'higher')
            ) as best_step,
            max(measured_at) as last_measured_at
        from ordered
        group by {{ grain | join(', ') }}

    )

    select
        *,
        case metric_direction when 'lower' then min_value when 'higher' then max_value end as best_value,
        case metric_direction when 'lower' then max_value when 'higher' then min_value end as worst_value
    from summarised
{%- endmacro %}

{# The metrics and splits that have columns of their own in experiment_summary and model_performance. #}
{% macro wide_metrics() %}
    {% do return([
        ('validation', 'mae'), ('validation', 'rmse'), ('validation', 'smape'), ('test', 'mae'), ('test', 'rmse'), ('test', 'smape')
    ]) %}
{% endmacro %}

{# Aggregates that turn rows of `metric_statistics` into columns named <split>_<metric>_<statistic>. #}
{% macro pivot_statistics() -%}
    {%- for split, metric in wide_metrics() -%}
        {%- for statistic in wide_statistics() -%}
        {%- set source_column = 'value_count' if statistic == 'count' else statistic ~ '_value' %}
        max({{ source_column }}) filter (where metric_name = '{{ metric }}' and split = '{{ split }}') as {{ split }}_{{ metric }}_{{ statistic }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# The columns that `pivot_statistics` gives, taken from a relation that was joined from the left: no row means a count of zero. #}
{% macro wide_columns(relation) -%}
    {%- for split, metric in wide_metrics() -%}
        {%- for statistic in wide_statistics() -%}
        {%- set column = split ~ '_' ~ metric ~ '_' ~ statistic %}
        {% if statistic == 'count' %}coalesce({{ relation }}.{{ column }}, 0) as {{ column }}{% else %}{{ relation }}.{{ column }}{% endif %}
        {{- ',' if not loop.last }}
        {%- endfor %}
    {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Aggregates for the columns <split>_<metric> of the source's view: the largest value, whatever the direction. #}
{% macro largest_metric_values() -%}
    {%- for split, metric in wide_metrics() %}
        max(metric_value) filter (where metric_name = '{{ metric }}' and split = '{{ split }}') as {{ split }}_{{ metric }}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro largest_metric_columns(relation) -%}
    {%- for split, metric in wide_metrics() %}
        {{ relation }}.{{ split }}_{{ metric }}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
