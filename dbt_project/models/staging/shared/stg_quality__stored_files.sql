with source as (

    select * from {{ source('quality', 'stored_files') }}

),

renamed as (

    select
        -- ids
        key as row_key,

        -- strings
        system as system_name,
        table_name,
        problem,

        -- times
        found_at
    from source

)

select * from renamed
