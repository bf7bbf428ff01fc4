with source as (

    {{ live_rows(source('forecast_tracking', 'metrics')) }}

),

renamed as (

    select
        -- ids
        metric_id,
        run_id,
        model_id,
        _batch_id as batch_id,

        -- strings
        metric_name,
        dataset_type as split,
        evaluation_context,
        metadata,

        -- numerics
        metric_value,
        metric_step,

        -- times
        timestamp as measured_at,
        _synced_at as synced_at
    from source

)

select * from renamed
