-- Experiments that have changed themselves, or in their runs, their models or their metrics.
with changed_experiments as (

    {{ changed_rows('forecast_tracking', 'experiments') }}

),

changed_runs as (

    {{ changed_rows('forecast_tracking', 'runs') }}

),

changed_models as (

    {{ changed_rows('forecast_tracking', 'models') }}

),

touched_runs as (

    select * from {{ ref('touched_forecast_tracking__runs') }}

    union all

    select * from {{ ref('touched_forecast_tracking__measured_runs') }}

    union all

    select
        run_id,
        _batch_id as batch_id
    from changed_models

    union all

    {{ parents_left('changed_models', 'run_id') }}

),

touched_models as (

    select * from {{ ref('touched_forecast_tracking__models') }}

),

runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

models as (

    select * from {{ ref('stg_forecast_tracking__models') }}

),

touching as (

    select
        experiment_id,
        _batch_id as batch_id
    from changed_experiments

    union all

    select
        experiment_id,
        _batch_id as batch_id
    from changed_runs

    union all

    {{ parents_left('changed_runs', 'experiment_id') }}

    union all

    select
        runs.experiment_id,
        touched_runs.batch_id
    from runs
    inner join touched_runs on runs.run_id = touched_runs.run_id

    union all

    select
        runs.experiment_id,
        touched_models.batch_id
    from touched_models
    inner join models on touched_models.model_id = models.model_id
    inner join runs on models.run_id = runs.run_id

),

final as (

    select
        experiment_id,
        max(batch_id) as batch_id
    from touching
    where experiment_id is not null
    group by experiment_id

)

select * from final
