with source as (

    {{ live_rows(source('forecast_tracking', 'models')) }}

),

renamed as (

    select
        -- ids
        model_id,
        model_uuid,
        run_id,
        training_dataset_id,
        _batch_id as batch_id,

        -- strings
        model_name,
        model_type,
        model_version,
        framework,
        framework_version,
        model_config,
        hyperparameters,
        model_file_path,
        checkpoint_path,
        status,
        tags,
        metadata,

        -- numerics
        training_samples,
        training_duration_seconds,
        model_size_bytes,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
