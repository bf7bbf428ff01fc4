-- The touched runs under the names that fct_runs gives to executions.
with touched_runs as (

    select * from {{ ref('touched_forecast_tracking__runs') }}

),

final as (

    select
        'forecast_tracking' as system_name,
        cast(run_id as {{ type_text() }}) as execution_id,
        run_id as source_id,
        batch_id
    from touched_runs

)

select * from final
