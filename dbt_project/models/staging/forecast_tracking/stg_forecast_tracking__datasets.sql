with source as (

    {{ live_rows(source('forecast_tracking', 'datasets')) }}

),

renamed as (

    select
        -- ids
        dataset_id,
        dataset_uuid,
        parent_dataset_id,
        _batch_id as batch_id,

        -- strings
        dataset_name,
        dataset_description,
        dataset_type,
        file_path,
        file_format,
        file_hash,
        date_column,
        target_column,
        frequency,
        schema_definition,
        column_types,
        version,
        tags,
        metadata,

        -- numerics
        file_size_bytes,
        num_rows,
        num_columns,
        num_time_series,
        missing_values_count,
        duplicate_rows_count,

        -- times
        start_date as series_started_at,
        end_date as series_ended_at,
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
