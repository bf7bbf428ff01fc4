with sums as (

    select * from {{ ref('int_forecast_sums') }}
    where sum_level = 'series'

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

-- The point that most models have been evaluated at, those with the baseline first: who is there is compared. Where all models share a
-- point these are all; one that shares nothing with the others is listed without a rank instead of leaving all of them without one.
meeting_points as (

    select
        experiment_id,
        models_key,
        models_at_point as compared_models,
        row_number() over (
            partition by experiment_id
            order by
                models_at_point desc nulls last,
                has_baseline desc nulls last,
                unique_id asc nulls last,
                cutoff_key asc nulls last,
                first_horizon asc nulls last,
                first_evaluated_at asc nulls last,
                model_id asc nulls last
        ) as preference
    from sums
    where models_at_point is not null

),

-- No more models are at any point, so where all that are compared were evaluated nobody else was.
added_up as (

    select
        sums.model_id,
        max(meeting_points.compared_models) as compared_models,
        count(*) as common_pairs,
        {{ added_up(point_counts(), point_values(), 'unique_id nulls last, cutoff_key nulls last') }}
    from sums
    inner join meeting_points
        on
            sums.experiment_id = meeting_points.experiment_id
            and sums.models_key = meeting_points.models_key
            and meeting_points.preference = 1
    group by sums.model_id

),

errors as (

    select
        model_id,
        compared_models,
        evaluated_points,
        common_pairs,
        {{ point_errors() }}
    from added_up

),

totals as (

    select
        sums.experiment_id,
        sums.model_id,
        models.model_type,
        cast(sum(sums.evaluated_points) as bigint) as evaluated_points,
        count(distinct case when sums.evaluated_points > 0 then sums.unique_id || '@' || cast(sums.cutoff_key as {{ type_text() }}) end)
            as evaluated_pairs
    from sums
    inner join models on sums.model_id = models.model_id
    group by sums.experiment_id, sums.model_id, models.model_type

),

boards as (

    select
        totals.*,
        errors.model_id is not null as is_compared,
        max(errors.compared_models) over (partition by totals.experiment_id) as compared_models,
        coalesce(errors.evaluated_points, 0) as common_points,
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
