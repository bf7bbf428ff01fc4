with source as (

    {{ live_rows(source('llm_control', 'llm_providers')) }}

),

renamed as (

    select
        -- ids
        id as provider_id,
        _batch_id as batch_id,

        -- strings
        display_name,

        -- booleans
        is_active,

        -- times
        _synced_at as synced_at
    from source

)

select * from renamed
