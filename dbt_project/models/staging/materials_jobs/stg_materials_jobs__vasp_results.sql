with source as (

    {{ live_rows(source('materials_jobs', 'vasp_results')) }}

),

renamed as (

    select
        -- ids
        id,
        job_run_id,
        _batch_id as batch_id,

        -- strings
        result_path,
        summary,

        -- times
        job_run_created_at,
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
