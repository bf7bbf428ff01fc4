with experiments as (

    select * from {{ ref('stg_forecast_tracking__experiments') }}

),

runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

executions as (

    select
        run_id,
        {{ run_duration_seconds() }} as duration_seconds,
        {{ is_zombie() }} as is_zombie
    from runs

),

models as (

    select * from {{ ref('model_performance') }}

),

statistics as (

    {{ statistics_of_wide_metrics(ref('int_metrics_classified'), 'runs', 'run_id', 'experiment_id') }}

),

run_totals as (

    select
        runs.experiment_id,
        count(*) as total_runs,
        count(*) filter (where runs.status = 'completed') as completed_runs,
        count(*) filter (where runs.status = 'failed') as failed_runs,
        count(*) filter (where runs.status = 'killed') as killed_runs,
        count(*) filter (where runs.status = 'running') as running_runs,
        count(*) filter (where runs.status = 'scheduled') as scheduled_runs,
        count(*) filter (where executions.is_zombie) as zombie_runs,
        count(*) filter (where runs.deleted_at is not null) as deleted_runs,
        count(runs.execution_duration_seconds) as timed_runs,
        cast(sum(runs.execution_duration_seconds) as numeric(38, 3)) as total_duration_seconds,
        cast(
            {{ mean_of_numerics('sum(runs.execution_duration_seconds)', 'count(runs.execution_duration_seconds)') }} as numeric(38, 28)
        ) as avg_duration,
        percentile_cont(0.5) within group (order by executions.duration_seconds nulls last)
        filter (where {{ is_usable('executions.duration_seconds') }}) as duration_p50_seconds,
        percentile_cont(0.95) within group (order by executions.duration_seconds nulls last)
        filter (where {{ is_usable('executions.duration_seconds') }}) as duration_p95_seconds,
        min(runs.started_at) as first_run_started_at,
        max(runs.started_at) as last_run_started_at,
        max(runs.ended_at) as last_run_time
    from runs
    left join executions on runs.run_id = executions.run_id
    group by runs.experiment_id

),

model_totals as (

    select
        experiment_id,
        count(*) as total_models,
        count(*) filter (where status = 'evaluated') as evaluated_models,
        count(*) filter (where registry_entries > 0) as registered_models,
        count(*) filter (where registry_stage = 'production') as production_models
    from models
    group by experiment_id

),

-- Within an experiment all models compete by the test error, or all of them by the validation error.
ranked_models as (

    select
        *,
        row_number() over (
            partition by experiment_id
            order by test_mae_mean nulls last, validation_mae_best nulls last, model_id nulls last
        ) as order_in_experiment
    from models
    where coalesce(test_mae_mean, validation_mae_best) is not null

),

best_models as (

    select
        experiment_id,
        model_id as best_model_id,
        model_name as best_model_name,
        model_type as best_model_type,
        case when test_mae_mean is not null then 'test' else 'validation' end as best_model_split,
        coalesce(test_mae_mean, validation_mae_best) as best_model_mae,
        registry_stage as best_model_registry_stage,
        is_deleted as best_model_is_deleted
    from ranked_models
    where order_in_experiment = 1

),

final as (

    select
        experiments.experiment_id,
        experiments.experiment_name,
        experiments.experiment_type,
        experiments.status,
        experiments.lifecycle_stage,
        experiments.created_by,
        experiments.deleted_at is not null as is_deleted,
        coalesce(run_totals.total_runs, 0) as total_runs,
        coalesce(run_totals.completed_runs, 0) as completed_runs,
        coalesce(run_totals.failed_runs, 0) as failed_runs,
        coalesce(run_totals.killed_runs, 0) as killed_runs,
        coalesce(run_totals.running_runs, 0) as running_runs,
        coalesce(run_totals.scheduled_runs, 0) as scheduled_runs,
        coalesce(run_totals.zombie_runs, 0) as zombie_runs,
        coalesce(run_totals.deleted_runs, 0) as deleted_runs,
        cast(run_totals.completed_runs as {{ type_double() }})
        / nullif(run_totals.completed_runs + run_totals.failed_runs + run_totals.killed_runs, 0) as success_rate,
        coalesce(run_totals.timed_runs, 0) as timed_runs,
        run_totals.total_duration_seconds,
        run_totals.avg_duration,
        run_totals.duration_p50_seconds,
        run_totals.duration_p95_seconds,
        run_totals.first_run_started_at,
        run_totals.last_run_started_at,
        run_totals.last_run_time,
        coalesce(model_totals.total_models, 0) as total_models,
        coalesce(model_totals.evaluated_models, 0) as evaluated_models,
        coalesce(model_totals.registered_models, 0) as registered_models,
        coalesce(model_totals.production_models, 0) as production_models,
        best_models.best_model_id,
        best_models.best_model_name,
        best_models.best_model_type,
        best_models.best_model_split,
        best_models.best_model_mae,
        best_models.best_model_registry_stage,
        best_models.best_model_is_deleted,
        {{- wide_columns('statistics') }},
        experiments.created_at,
        {{ refresh_columns() }}
    from experiments
    left join run_totals on experiments.experiment_id = run_totals.experiment_id
    left join model_totals on experiments.experiment_id = model_totals.experiment_id
    left join best_models on experiments.experiment_id = best_models.experiment_id
    left join statistics on experiments.experiment_id = statistics.experiment_id

)

select * from final
