with source as (

    select * from {{ source('ops', 'refreshes') }}

),

renamed as (

    select
        -- ids
        refresh_id,

        -- strings
        definition,
        project_files,
        batches as source_batch_ids,
        marts as rows_by_mart,

        -- booleans
        is_full,
        is_complete,

        -- times
        started_at,
        published_at,
        next_due_at
    from source

)

select * from renamed
