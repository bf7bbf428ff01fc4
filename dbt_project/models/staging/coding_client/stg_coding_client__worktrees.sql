with source as (

    {{ live_rows(source('coding_client', 'worktrees')) }}

),

renamed as (

    select
        -- ids
        id,
        worktree_id,
        user_id,
        project_id,
        _batch_id as batch_id,

        -- strings
        repository_path,
        worktree_path,
        branch_name,
        commit_hash,
        status,
        sync_status,

        -- numerics
        file_count,
        total_size_bytes,
        untracked_files,

        -- booleans
        uncommitted_changes as has_uncommitted_changes,

        -- times
        last_sync as last_sync_at,
        created_at,
        updated_at,
        last_accessed as last_accessed_at,
        _synced_at as synced_at
    from source

)

select * from renamed
