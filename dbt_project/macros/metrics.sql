{#
    What is known about metrics by name, and the statistics that marts hold of them.
#}

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

{% macro metric_statistic(name) -%}
    {%- set as_measured = 'metric_step nulls first, measured_at nulls last, metric_id nulls last' -%}
    {%- set from_best = "case metric_direction when 'lower' then usable_value when 'higher' then -usable_value end nulls last, metric_step nulls first, metric_id nulls last" -%}
    {%- set formulas = {
        'count': 'count(usable_value)',
        'unusable_count': 'count(*) - count(usable_value)',
        'min': 'min(usable_value)',
        'max': 'max(usable_value)',
        'mean': aggregate_in_order('avg', 'usable_value', as_measured),
        'std': aggregate_in_order('stddev_samp', 'usable_value', as_measured),
        'q1': 'percentile_cont(0.25) within group (order by usable_value nulls last)',
        'median': 'percentile_cont(0.5) within group (order by usable_value nulls last)',
        'q3': 'percentile_cont(0.75) within group (order by usable_value nulls last)',
        'best': "case metric_direction when 'lower' then min(usable_value) when 'higher' then max(usable_value) end",
        'worst': "case metric_direction when 'lower' then max(usable_value) when 'higher' then min(usable_value) end",
        'first': first_in_order('usable_value', as_measured, 'usable_value is not null'),
        'last': last_in_order('usable_value', as_measured, 'usable_value is not null'),
        'last_step': last_in_order('metric_step', as_measured, 'usable_value is not null'),
        'best_step': first_in_order('metric_step', from_best, "usable_value is not null and metric_direction in ('lower', 'higher')"),
        'largest': aggregate_in_order('max', 'metric_value', as_measured),
    } -%}
    {{- formulas[name] -}}
{%- endmacro %}

{% macro wide_metrics() %}
    {% do return([
        ('validation', 'mae'), ('validation', 'rmse'), ('validation', 'smape'), ('test', 'mae'), ('test', 'rmse'), ('test', 'smape')
    ]) %}
{% endmacro %}

{% macro wide_statistics() %}
    {% do return(['best', 'last', 'worst', 'mean', 'median', 'std', 'count']) %}
{% endmacro %}

{% macro is_wide_metric() -%}
    metric_name in ('{{ wide_metrics() | map(attribute=1) | unique | join("', '") }}')
    and split in ('{{ wide_metrics() | map(attribute=0) | unique | join("', '") }}')
{%- endmacro %}

{% macro statistics_of_wide_metrics(metrics, members, member, key) -%}
    {%- set aggregates = ['min', 'max', 'last', 'mean', 'median', 'std', 'count', 'largest'] -%}
    {%- set is_full = refresh_under_way()['is_full'] -%}
    select
        {{ key }},
        {%- for split, metric in wide_metrics() %}
        {%- for statistic in wide_statistics() + ['largest'] %}
        max(statistic_{{ aggregate_of(statistic, metric) }}) filter (where wide_metric = {{ wide_metrics().index((split, metric)) }})
            as {{ split }}_{{ metric }}{{ '_' ~ statistic if statistic != 'largest' }}
        {{- ',' if not loop.last }}
        {%- endfor %}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from (
        select
            wanted.{{ key }},
            wanted.wide_metric,
            {%- for aggregate in aggregates %}
            {{ metric_statistic(aggregate) }} as statistic_{{ aggregate }}{{ ',' if not loop.last }}
            {%- endfor %}
        from (
            select
                {{ [member, key] | unique | join(',\n                ') }},
                wide_metric,
                metric_name,
                split
            from {{ members }}
            cross join (
                values
                {%- for split, metric in wide_metrics() %}
                ({{ loop.index0 }}, '{{ metric }}', '{{ split }}'){{ ',' if not loop.last }}
                {%- endfor %}
            ) as wide (wide_metric, metric_name, split)
            {% if not is_full %}{{ visited_in_order(key ~ ' nulls last, wide_metric nulls last, ' ~ member ~ ' nulls last') }}{% endif %}
        ) as wanted
        cross join lateral (
            select
                metric_id,
                metric_value,
                usable_value,
                metric_step,
                measured_at
            from {{ metrics }} as metrics
            where
                {{ is_wide_metric() }}
                and metrics.{{ member }} = wanted.{{ member }}
                and metrics.metric_name = wanted.metric_name
                and metrics.split = wanted.split
            {% if not is_full %}{{ computed_once() }}{% endif %}
        ) as measured
        group by wanted.{{ key }}, wanted.wide_metric
    ) as by_metric
    group by {{ key }}
{%- endmacro %}

{% macro aggregate_of(statistic, metric) -%}
    {%- set aggregates = {'lower': {'best': 'min', 'worst': 'max'}, 'higher': {'best': 'max', 'worst': 'min'}} -%}
    {%- set direction = 'lower' if metric in metrics_by_direction()['lower'] else 'higher' -%}
    {{- aggregates[direction].get(statistic, statistic) -}}
{%- endmacro %}

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

{% macro largest_metric_columns(relation) -%}
    {%- for split, metric in wide_metrics() %}
        {{ relation }}.{{ split }}_{{ metric }}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
