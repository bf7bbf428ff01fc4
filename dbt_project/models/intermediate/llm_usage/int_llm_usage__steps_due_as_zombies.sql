-- Time alone makes a running step a zombie: its row changes at that moment, though no batch touches it.
with steps as (

    select * from {{ ref('stg_llm_usage__steps') }}

),

final as (

    select
        tenant_id,
        step_id,
        {{ hours_after('started_at', var('zombie_after_hours')) }} as due_at
    from steps
    where status = 'running'

)

select * from final
