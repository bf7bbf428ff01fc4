-- Time alone makes a running run a zombie: its row changes at that moment, though no batch touches it.
with runs as (

    select * from {{ ref('stg_pipe_service__pipeline_runs') }}

),

final as (

    select
        run_id as id,
        started_at,
        {{ hours_after(utc('started_at'), var('zombie_after_hours')) }} as due_at
    from runs
    where status = 'running'

)

select * from final
