with source as (

    {{ live_rows(source('llm_control', 'tenants')) }}

),

renamed as (

    select
        -- ids
        id as tenant_id,
        _batch_id as batch_id,

        -- strings
        name as tenant_name,

        -- booleans
        is_active,

        -- times
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
