with source as (

    select * from {{ source('ops', 'batches') }}

),

renamed as (

    select
        -- ids
        batch_id,
        run_id,

        -- strings
        system as system_name,
        capture,
        snapshot as source_snapshot,

        -- times
        started_at,
        committed_at
    from source

)

select * from renamed
