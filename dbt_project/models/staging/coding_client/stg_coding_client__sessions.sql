with source as (

    {{ live_rows(source('coding_client', 'sessions')) }}

),

renamed as (

    select
        -- ids
        id,
        session_id,
        container_id,
        user_id,
        project_id,
        worktree_id,
        _batch_id as batch_id,

        -- strings
        name,
        description,
        status,
        working_directory,
        resource_limits,

        -- numerics
        total_tokens_used,

        -- times
        created_at,
        updated_at,
        last_accessed as last_accessed_at,
        _synced_at as synced_at
    from source

)

select * from renamed
