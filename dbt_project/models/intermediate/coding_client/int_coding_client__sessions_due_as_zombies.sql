-- Time alone makes a running session a zombie: its row changes at that moment, though no batch touches it.
with sessions as (

    select * from {{ ref('stg_coding_client__sessions') }}

),

final as (

    select
        id,
        {{ hours_after(utc('created_at'), var('zombie_after_hours')) }} as due_at
    from sessions
    where status in ('running', 'stopping')

)

select * from final
