with source as (

    {{ live_rows(source('forecast_tracking', 'runs')) }}

),

renamed as (

    select
        -- ids
        run_id,
        run_uuid,
        experiment_id,
        parent_run_id,
        _batch_id as batch_id,

        -- strings
        run_name,
        run_description,
        run_fingerprint,
        status,
        lifecycle_stage,
        source_type,
        source_name,
        git_commit_hash,
        git_branch,
        git_repo_url,
        user_id,
        tags,
        metadata,

        -- numerics
        execution_duration_seconds,

        -- times
        start_time as started_at,
        end_time as ended_at,
        created_at,
        updated_at,
        deleted_at,
        _synced_at as synced_at
    from source

)

select * from renamed
