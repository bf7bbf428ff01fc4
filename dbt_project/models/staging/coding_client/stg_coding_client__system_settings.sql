with source as (

    {{ live_rows(source('coding_client', 'system_settings')) }}

),

renamed as (

    select
        -- ids
        id,
        updated_by,
        _batch_id as batch_id,

        -- strings
        setting_key,
        data_type,
        category,
        description,

        -- numerics
        version,

        -- booleans
        is_public,
        is_readonly,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
