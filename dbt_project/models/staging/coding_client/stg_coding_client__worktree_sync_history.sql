with source as (

    {{ live_rows(source('coding_client', 'worktree_sync_history')) }}

),

renamed as (

    select
        -- ids
        id,
        source_worktree_id,
        target_worktree_id,
        executed_by,
        _batch_id as batch_id,

        -- strings
        sync_type,
        sync_direction,
        status,
        commit_hash,
        error_message,
        error_code,

        -- numerics
        files_changed,
        lines_added,
        lines_deleted,
        conflicts_count,
        execution_time_ms,

        -- times
        created_at as executed_at,
        _synced_at as synced_at
    from source

)

select * from renamed
