-- Runs and models whose metrics have changed.
with touching as (

    {{ changed_parents('forecast_tracking', 'metrics', ['run_id', 'model_id']) }}

),

final as (

    select
        run_id,
        model_id,
        max(batch_id) as batch_id
    from touching
    group by run_id, model_id

)

select * from final
