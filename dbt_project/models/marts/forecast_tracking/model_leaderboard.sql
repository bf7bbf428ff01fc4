with points as (

    select * from {{ ref('int_forecast_points_scored') }}

),

models as (

    select * from {{ ref('stg_forecast_tracking__models') }}

),

runs as (

    select * from {{ ref('stg_forecast_tracking__runs') }}

),

experiments as (

    select * from {{ ref('stg_forecast_tracking__experiments') }}

),

registered as (

    select * from {{ ref('int_models_registered') }}

),

evaluated as (

    select
        *,
        unique_id || '@' || cast(cutoff_key as {{ type_text() }}) as pair_key,
        count(*) over (partition by experiment_id, unique_id, cutoff_key, horizon, target_at) as models_at_point,
        max(case when model_type = 'SeasonalNaive' then 1 else 0 end) over (
            partition by experiment_id, unique_id, cutoff_key, horizon, target_at
        ) as has_baseline
    from points
    where outcome = 'evaluated'

),

-- The point that most models have been evaluated at, those with the baseline first: who is there is compared. Where all models share a
-- point these are all; one that shares nothing with the others is listed without a rank instead of leaving all of them without one.
meeting_points as (

    select
        experiment_id,
        unique_id,
        cutoff_key,
        horizon,
        target_at,
        models_at_point as compared_models,
        row_number() over (
            partition by experiment_id
            order by
                models_at_point desc nulls first,
                has_baseline desc nulls first,
                unique_id asc nulls last,
                cutoff_key asc nulls last,
                horizon asc nulls last,
                target_at asc nulls last,
                model_id asc nulls last
        ) as preference
    from evaluated

),

compared as (

    select
        evaluated.experiment_id,
        evaluated.model_id,
        meeting_points.compared_models
    from evaluated
    inner join meeting_points
        on
            evaluated.experiment_id = meeting_points.experiment_id
            and evaluated.unique_id = meeting_points.unique_id
            and evaluated.cutoff_key = meeting_points.cutoff_key
            and evaluated.horizon = meeting_points.horizon
            and evaluated.target_at = meeting_points.target_at
            and meeting_points.preference = 1

),

candidates as (

    select
        evaluated.*,
        compared.compared_models,
        count(*) over (
            partition by evaluated.experiment_id, evaluated.unique_id, evaluated.cutoff_key, evaluated.horizon, evaluated.target_at
        ) as compared_models_at_point
    from evaluated
    inner join compared on evaluated.model_id = compared.model_id

),

errors as (

    select
        model_id,
        max(compared_models) as compared_models,
        count(*) as common_points,
        count(distinct pair_key) as common_pairs,
        {{ point_errors() }}
    from candidates
    where compared_models_at_point = compared_models
    group by model_id

),

totals as (

    select
        experiment_id,
        model_id,
        model_type,
        count(*) filter (where outcome = 'evaluated') as evaluated_points,
        count(distinct case when outcome = 'evaluated' then unique_id || '@' || cast(cutoff_key as {{ type_text() }}) end) as evaluated_pairs
    from points
    group by experiment_id, model_id, model_type

),

boards as (

    select
        totals.*,
        errors.model_id is not null as is_compared,
        max(errors.compared_models) over (partition by totals.experiment_id) as compared_models,
        coalesce(errors.common_points, 0) as common_points,
        coalesce(errors.common_pairs, 0) as common_pairs,
        errors.mae,
        errors.rmse,
        errors.bias,
        errors.wape,
        errors.smape,
        errors.mase,
        errors.rmsse,
        min(case when totals.model_type = 'SeasonalNaive' and errors.model_id is not null then totals.model_id end) over (
            partition by totals.experiment_id
        ) as baseline_model_id
    from totals
    left join errors on totals.model_id = errors.model_id

),

measured as (

    select
        *,
        max(case when model_id = baseline_model_id then mae end) over (partition by experiment_id) as baseline_mae
    from boards

),

final as (

    select
        measured.experiment_id,
        measured.model_id,
        experiments.experiment_name,
        models.model_name,
        models.model_type,
        registered.registry_stage,
        measured.is_compared,
        case
            when measured.is_compared
                then rank() over (partition by measured.experiment_id order by measured.mae nulls last)
        end as model_rank,
        coalesce(measured.compared_models, 0) as compared_models,
        measured.evaluated_points,
        measured.common_points,
        measured.evaluated_points - measured.common_points as left_out_points,
        measured.evaluated_pairs,
        measured.common_pairs,
        measured.evaluated_pairs - measured.common_pairs as left_out_pairs,
        measured.mae,
        measured.rmse,
        measured.bias,
        measured.wape,
        measured.smape,
        measured.mase,
        measured.rmsse,
        measured.baseline_model_id,
        1 - {{ ratio('measured.mae', 'measured.baseline_mae') }} as skill,
        {{ refresh_columns() }}
    from measured
    inner join models on measured.model_id = models.model_id
    left join runs on models.run_id = runs.run_id
    left join experiments on runs.experiment_id = experiments.experiment_id
    left join registered on measured.model_id = registered.model_id

)

select * from final
