with source as (

    {{ live_rows(source('pipe_service', 'users')) }}

),

renamed as (

    select
        -- ids
        id as user_id,
        _batch_id as batch_id,

        -- strings
        status,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
