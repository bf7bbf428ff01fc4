with source as (

    {{ live_rows(source('llm_workflow', 'prompts')) }}

),

renamed as (

    select
        -- ids
        id as prompt_id,
        _batch_id as batch_id,

        -- strings
        step as step_name,

        -- numerics
        version as prompt_version,

        -- booleans
        is_active,

        -- times
        _synced_at as synced_at
    from source

)

select * from renamed
