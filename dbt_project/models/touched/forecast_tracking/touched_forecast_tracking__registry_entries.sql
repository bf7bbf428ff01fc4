-- Registry entries that have changed.
with changed_entries as (

    {{ changed_rows('forecast_tracking', 'model_registry') }}

),

final as (

    select
        registry_id,
        _batch_id as batch_id
    from changed_entries

)

select * from final
