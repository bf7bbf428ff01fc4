with source as (

    {{ live_rows(source('forecast_tracking', 'hyperparameters')) }}

),

renamed as (

    select
        -- ids
        hyperparameter_id,
        run_id,
        _batch_id as batch_id,

        -- strings
        param_key,
        param_value,
        param_type,
        param_category,

        -- booleans
        is_hyperparameter,

        -- times
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
