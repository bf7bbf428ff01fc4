with source as (

    {{ live_rows(source('llm_usage', 'handed_over')) }}

),

renamed as (

    select
        -- ids
        tenant_id,
        refresh_id,
        _batch_id as batch_id,

        -- times
        handed_over_at,
        _synced_at as synced_at
    from source

)

select * from renamed
