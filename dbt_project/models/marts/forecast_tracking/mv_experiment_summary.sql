{{ config(materialized='mart_view') }}

with summary as (

    select * from {{ ref('experiment_summary') }}

),

final as (

    select
        experiment_id,
        experiment_name,
        status,
        total_runs,
        completed_runs,
        failed_runs,
        -- The quotient, not the mart's mean, because it has the digits that an average has in the source.
        {{ mean_of_numerics('total_duration_seconds', 'timed_runs') }} as avg_duration,
        last_run_time,
        created_at
    from summary
    where not is_deleted

)

select * from final
