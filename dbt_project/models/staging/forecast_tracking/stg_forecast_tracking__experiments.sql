with source as (

    {{ live_rows(source('forecast_tracking', 'experiments')) }}

),

renamed as (

    select
        -- ids
        experiment_id,
        _batch_id as batch_id,

        -- strings
        experiment_name,
        experiment_description,
        experiment_type,
        status,
        lifecycle_stage,
        created_by,
        tags,
        metadata,

        -- times
        created_at,
        updated_at,
        deleted_at,
        _synced_at as synced_at
    from source

)

select * from renamed
