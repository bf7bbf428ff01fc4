with source as (

    {{ live_rows(source('materials_jobs', 'job_runs')) }}

),

renamed as (

    select
        -- ids
        id,
        job_id,
        _batch_id as batch_id,

        -- strings
        status,
        metadata,

        -- numerics
        run_number,
        exit_code,

        -- times
        started_at,
        finished_at,
        created_at,
        _synced_at as synced_at
    from source

)

select * from renamed
