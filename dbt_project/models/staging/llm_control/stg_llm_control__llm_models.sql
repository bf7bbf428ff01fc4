with source as (

    {{ live_rows(source('llm_control', 'llm_models')) }}

),

renamed as (

    select
        -- ids
        id as model_id,
        provider_id,
        _batch_id as batch_id,

        -- strings
        model_name,
        model_class,

        -- booleans
        is_active,

        -- times
        _synced_at as synced_at
    from source

)

select * from renamed
