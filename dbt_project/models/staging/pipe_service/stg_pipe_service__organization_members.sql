with source as (

    {{ live_rows(source('pipe_service', 'organization_members')) }}

),

renamed as (

    select
        -- ids
        organization_id,
        user_id,
        _batch_id as batch_id,

        -- strings
        role,

        -- times
        joined_at,
        _synced_at as synced_at
    from source

)

select * from renamed
