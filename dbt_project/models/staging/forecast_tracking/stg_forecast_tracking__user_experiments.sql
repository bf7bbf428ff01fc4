with source as (

    {{ live_rows(source('forecast_tracking', 'user_experiments')) }}

),

renamed as (

    select
        -- ids
        user_experiment_id,
        user_id,
        experiment_id,
        _batch_id as batch_id,

        -- strings
        permission_level,

        -- times
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
