with source as (

    {{ live_rows(source('llm_control', 'step_llm_defaults')) }}

),

renamed as (

    select
        -- ids
        step as step_name,
        provider_id,
        _batch_id as batch_id,

        -- strings
        model_class,

        -- times
        _synced_at as synced_at
    from source

)

select * from renamed
