with source as (

    {{ live_rows(source('coding_client', 'collaboration_sessions')) }}

),

renamed as (

    select
        -- ids
        id,
        session_id,
        host_user_id,
        _batch_id as batch_id,

        -- strings
        share_mode,
        allowed_users,

        -- numerics
        max_participants,
        current_participants,
        total_joins,

        -- booleans
        requires_approval,
        is_public,

        -- times
        expires_at,
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
