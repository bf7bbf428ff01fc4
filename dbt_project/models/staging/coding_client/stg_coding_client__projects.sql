with source as (

    {{ live_rows(source('coding_client', 'projects')) }}

),

renamed as (

    select
        -- ids
        id,
        project_id,
        owner_id,
        _batch_id as batch_id,

        -- strings
        name,
        description,
        project_type,
        local_path,
        default_branch,
        tech_stack,
        collaborators,

        -- numerics
        total_sessions,
        total_commits,
        total_worktrees,

        -- booleans
        is_public,

        -- times
        last_activity as last_activity_at,
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
