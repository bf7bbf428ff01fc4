with source as (

    {{ live_rows(source('forecast_tracking', 'hyperparameter_search_spaces')) }}

),

renamed as (

    select
        -- ids
        search_space_id,
        _batch_id as batch_id,

        -- strings
        space_name,
        space_description,
        model_type,
        framework,
        search_space_definition,
        created_by,
        tags,

        -- booleans
        is_active,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
