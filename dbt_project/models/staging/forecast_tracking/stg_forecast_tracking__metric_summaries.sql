with source as (

    {{ live_rows(source('forecast_tracking', 'metric_summaries')) }}

),

renamed as (

    select
        -- ids
        summary_id,
        run_id,
        model_id,
        _batch_id as batch_id,

        -- strings
        metric_name,
        dataset_type as split,

        -- numerics
        min_value,
        max_value,
        mean_value,
        median_value,
        std_value,
        q1_value,
        q3_value,
        sample_count,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
