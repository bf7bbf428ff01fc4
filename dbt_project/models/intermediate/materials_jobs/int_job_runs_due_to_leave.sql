-- Time alone takes a failed run out of the last days: its row goes at that moment, though no batch touches it.
with job_runs as (

    select * from {{ ref('stg_materials_jobs__job_runs') }}

),

final as (

    select
        id,
        created_at,
        {{ hours_after(utc('created_at'), recent_failure_hours()) }} as due_at
    from job_runs
    where status = 'failed'

)

select * from final
