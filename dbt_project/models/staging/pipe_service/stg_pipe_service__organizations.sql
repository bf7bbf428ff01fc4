with source as (

    {{ live_rows(source('pipe_service', 'organizations')) }}

),

renamed as (

    select
        -- ids
        id as organization_id,
        _batch_id as batch_id,

        -- strings
        name as organization_name,
        plan_type,
        status,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
