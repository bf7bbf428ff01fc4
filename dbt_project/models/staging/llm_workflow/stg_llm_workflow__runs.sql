with source as (

    {{ live_rows(source('llm_workflow', 'runs')) }}

),

renamed as (

    select
        -- ids
        id as run_id,
        _batch_id as batch_id,

        -- strings
        status,
        current_step,

        -- times
        created_at,
        updated_at,
        _synced_at as synced_at
    from source

)

select * from renamed
