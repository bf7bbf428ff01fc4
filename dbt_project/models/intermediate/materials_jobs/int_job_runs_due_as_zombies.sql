-- Time alone makes a running run a zombie: its row changes at that moment, though no batch touches it.
with job_runs as (

    select * from {{ ref('stg_materials_jobs__job_runs') }}

),

final as (

    select
        id,
        created_at,
        {{ hours_after(utc('started_at'), var('zombie_after_hours')) }} as due_at
    from job_runs
    where status = 'running'

)

select * from final
