with source as (

    {{ live_rows(source('forecast_tracking', 'dataset_features')) }}

),

renamed as (

    select
        -- ids
        feature_id,
        dataset_id,
        _batch_id as batch_id,

        -- strings
        feature_name,
        feature_type,
        data_type,
        unique_values,
        feature_role,
        exogenous_type,
        tags,

        -- numerics
        min_value,
        max_value,
        mean_value,
        median_value,
        std_value,
        num_unique_values,
        missing_count,
        missing_percentage,
        importance_score,
        correlation_with_target,

        -- booleans
        is_target,
        is_exogenous,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
