-- Time alone makes a running run a zombie: its row changes at that moment, though no batch touches it.
with runs as (

    select * from {{ ref('stg_llm_usage__runs') }}

),

final as (

    select
        tenant_id,
        run_id,
        {{ hours_after('started_at', var('zombie_after_hours')) }} as due_at
    from runs
    where status = 'running'

)

select * from final
