with source as (

    {{ live_rows(source('forecast_tracking', 'predictions')) }}

),

renamed as (

    select
        -- ids
        prediction_id,
        run_id,
        model_id,
        unique_id,
        _batch_id as batch_id,

        -- strings
        metadata,

        -- numerics
        horizon,
        predicted_value,
        actual_value,
        lower_bound,
        upper_bound,
        confidence_level,

        -- times
        prediction_date as target_at,
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
